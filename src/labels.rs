//! What the values of a segmentation mean: labels, each with a value, a name, a code and a colour.
//!
//! This module knows nothing else of the library: models, data sets, results and reports name their labels by it. A [`LabelSet`] has one
//! label at least; the first is the pancreas unless somebody says otherwise, and everybody's default.

use serde::{Deserialize, Serialize};

/// The most labels that a set may have: a voxel's labels are kept as the bits of one byte.
pub const MOST_LABELS: usize = 8;
/// The most bytes of a label's name, in UTF-8.
pub const MOST_NAME: usize = 63;

/// A coded concept: a value of a coding scheme, and its meaning for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// The code value.
    pub value: String,
    /// The coding scheme's designator: SCT (SNOMED CT), DCM, UCUM.
    pub scheme: String,
    /// The meaning in English.
    pub meaning: String,
}

impl Code {
    /// A concept.
    pub fn new(value: &str, scheme: &str, meaning: &str) -> Self {
        Code { value: value.into(), scheme: scheme.into(), meaning: meaning.into() }
    }

    /// A concept of SNOMED CT.
    pub fn snomed(value: &str, meaning: &str) -> Self {
        Code::new(value, "SCT", meaning)
    }

    /// A concept that DICOM itself defines.
    pub(crate) fn dicom(value: &str, meaning: &str) -> Self {
        Code::new(value, "DCM", meaning)
    }
}

/// One structure that is segmented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Its value in a label map, 1 to 255.
    pub value: u8,
    /// Its name, unique in its set.
    pub name: String,
    /// What it is, in SNOMED CT; none for a name that [`Label::named`] does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Red, green and blue to show it in.
    pub colour: [u8; 3],
    /// Probabilities from here on are this label, 0 to 1; none: the model's threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// Structures with their SNOMED CT code and its meaning, and the colour of 3D Slicer's table of anatomy.
const KNOWN: [(&str, &str, &str, [u8; 3]); 17] = [
    ("pancreas", "15776009", "Pancreas", [249, 180, 111]),
    ("tumour", "108369006", "Neoplasm", [144, 238, 144]),
    ("cyst", "367643001", "Cyst", [205, 205, 100]),
    ("spleen", "78961009", "Spleen", [157, 108, 162]),
    ("right kidney", "9846003", "Right kidney", [185, 102, 83]),
    ("left kidney", "18639004", "Left kidney", [200, 112, 93]),
    ("gallbladder", "28231008", "Gallbladder", [139, 150, 98]),
    ("liver", "10200004", "Liver", [221, 130, 101]),
    ("stomach", "69695003", "Stomach", [216, 132, 105]),
    ("aorta", "15825003", "Aorta", [224, 97, 76]),
    ("oesophagus", "32849002", "Esophagus", [211, 171, 143]),
    ("duodenum", "38848004", "Duodenum", [255, 253, 229]),
    ("small bowel", "30315005", "Small intestine", [205, 167, 142]),
    ("colon", "71854001", "Colon", [204, 168, 143]),
    ("vena cava", "64131007", "Inferior vena cava", [0, 151, 206]),
    ("portal vein", "32764006", "Portal vein", [0, 112, 165]),
    ("splenic vein", "35819009", "Splenic vein", [50, 132, 190]),
];

/// The codes of what is no part of the body.
const LESIONS: [&str; 2] = ["108369006", "367643001"];

/// Colours for names that are not known, in turn.
const OTHER_COLOURS: [[u8; 3]; 4] = [[128, 174, 128], [241, 214, 145], [111, 184, 210], [216, 101, 79]];

impl Label {
    /// A label with a value and a name. Code and colour come from the name where it is a structure that is known here: the organs of the
    /// upper abdomen, "tumour", "cyst". American and British spelling are the same name.
    pub fn named(value: u8, name: &str) -> Self {
        let plain = match name.to_lowercase().replace('_', " ").as_str() {
            "tumor" | "lesion" | "cancer" => "tumour".to_string(),
            "esophagus" => "oesophagus".to_string(),
            other => other.to_string(),
        };
        let known = KNOWN.iter().find(|(known, ..)| *known == plain);
        Label {
            value,
            name: name.into(),
            code: known.map(|(_, code, meaning, _)| Code::snomed(code, meaning)),
            colour: known.map_or(OTHER_COLOURS[usize::from(value) % OTHER_COLOURS.len()], |(.., colour)| *colour),
            threshold: None,
        }
    }
}

impl Label {
    /// Whether it is no part of the body but something in one: a tumour, a cyst.
    pub fn is_lesion(&self) -> bool {
        self.code.as_ref().is_some_and(|code| LESIONS.contains(&code.value.as_str()))
    }
}

/// What a network segments, in the order of its outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSet {
    /// The labels; the first is the main one.
    pub labels: Vec<Label>,
    /// Whether a voxel has one label at most. Otherwise labels may lie within others (a tumour in its organ), and in a label map a
    /// later one covers an earlier one.
    pub exclusive: bool,
}

impl Default for LabelSet {
    /// The pancreas alone.
    fn default() -> Self {
        LabelSet { labels: vec![Label::named(1, "pancreas")], exclusive: false }
    }
}

impl LabelSet {
    /// Labels with the values 1, 2, 3 and so on.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let labels = names.into_iter().zip(1..=u8::MAX).map(|(name, value)| Label::named(value, name)).collect();
        LabelSet { labels, exclusive: false }
    }

    /// Whether it is the pancreas alone: what models of format 1 segment.
    pub fn is_pancreas(&self) -> bool {
        *self == Self::default()
    }

    /// The number of labels.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|label| label.name.as_str())
    }

    /// Refuses a set that cannot be used; the text says what is wrong and what was expected.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=MOST_LABELS).contains(&self.labels.len()) {
            return Err(format!("it has {} labels; 1 to {MOST_LABELS} were expected", self.labels.len()));
        }
        for (number, label) in self.labels.iter().enumerate() {
            let before = &self.labels[..number];
            if label.value == 0 || before.iter().any(|other| other.value == label.value) {
                return Err(format!(
                    "the label \"{}\" has the value {}; values from 1 to 255, each once, were expected",
                    label.name, label.value
                ));
            }
            if label.name.trim().is_empty() || before.iter().any(|other| other.name == label.name) {
                return Err(format!("a label is named \"{}\"; names, each once, were expected", label.name));
            }
            // The C API has room for so much.
            if label.name.len() > MOST_NAME {
                return Err(format!("the label \"{}\" has a name of over {MOST_NAME} bytes", label.name));
            }
            if let Some(threshold) = label.threshold.filter(|t| !(0.0..=1.0).contains(t)) {
                return Err(format!(
                    "the threshold of the label \"{}\" is {threshold}; a number from 0 to 1 was expected",
                    label.name
                ));
            }
        }
        Ok(())
    }
}

/// A label of a data set, and the values that it has in the set's label maps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSource {
    /// The label's name.
    pub name: String,
    /// Values in label maps. A value may belong to several labels: of `pancreas=1,2 tumour=2` the tumour is part of the pancreas.
    pub values: Vec<u16>,
}

impl std::str::FromStr for LabelSource {
    type Err = String;

    /// `NAME=VALUE,...`
    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("\"{text}\" names no label; a name and values like pancreas=1,2 were expected");
        let (name, values) = text.split_once('=').ok_or_else(fault)?;
        let values: Vec<u16> =
            values.split(',').map(|value| value.trim().parse()).collect::<Result<_, _>>().map_err(|_| fault())?;
        let source = LabelSource { name: name.trim().into(), values };
        match source.name.is_empty() || source.values.contains(&0) {
            true => Err(fault()),
            false => Ok(source),
        }
    }
}

/// Which bits the value of a label map sets, one for each label. Without sources every value from 1 on is the one label.
#[derive(Clone, Debug, Default)]
pub struct LabelBits(Option<Vec<LabelSource>>);

impl LabelBits {
    /// By the sources of a training's labels; none: everything from 1 on is the one label.
    pub fn new(sources: &[LabelSource]) -> Self {
        LabelBits((!sources.is_empty()).then(|| sources.to_vec()))
    }

    /// The number of labels.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, Vec::len)
    }

    /// The bits of a value: bit 0 is the first label's.
    pub fn of(&self, value: u16) -> u8 {
        match &self.0 {
            None => u8::from(value != 0),
            Some(sources) => sources
                .iter()
                .enumerate()
                .filter(|(_, source)| source.values.contains(&value))
                .fold(0, |bits, (number, _)| bits | 1 << number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_both_spellings_and_others_get_colours() {
        let set = LabelSet::named(["pancreas", "tumor", "something else"]);
        assert_eq!(set.labels[1].code.as_ref().unwrap().meaning, "Neoplasm");
        assert_eq!(set.labels[2].code, None);
        assert_eq!(set.labels.iter().map(|label| label.value).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(set.check().is_ok() && !set.is_pancreas());
        assert!(LabelSet::default().is_pancreas());
    }

    #[test]
    fn sets_that_cannot_be_told_apart_are_refused() {
        let mut twice = LabelSet::named(["pancreas", "tumour"]);
        twice.labels[1].value = 1;
        assert!(twice.check().unwrap_err().contains("each once"));
        assert!(LabelSet::named(["a", "a"]).check().is_err());
        assert!(LabelSet { labels: vec![], exclusive: true }.check().is_err());
        assert!(LabelSet::named((0..9).map(|_| "x")).check().unwrap_err().contains("1 to 8"));
    }

    #[test]
    fn a_value_of_a_label_map_may_belong_to_two_labels() {
        let sources: Vec<LabelSource> = ["pancreas=1,2", "tumour=2"].iter().map(|text| text.parse().unwrap()).collect();
        let bits = LabelBits::new(&sources);
        assert_eq!((0..4).map(|value| bits.of(value)).collect::<Vec<_>>(), [0, 1, 3, 0]);
        let one = LabelBits::new(&[]);
        assert_eq!((0..4).map(|value| one.of(value)).collect::<Vec<_>>(), [0, 1, 1, 1]);
        for wrong in ["pancreas", "=1", "pancreas=0", "pancreas=x", "pancreas="] {
            assert!(wrong.parse::<LabelSource>().is_err(), "{wrong}");
        }
    }
}

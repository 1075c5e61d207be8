//! One volume of a data set as training sees it: in the LPS frame, at the working spacing, windowed once, with its truth.
//!
//! Intensities are kept in 16 bits over the window, 0.005 HU for the default one, far below any noise. A case lives in memory
//! or in a cache file that is mapped: then the system keeps in memory what is being read and no more, whatever the data set's size.
//!
//! A cache file: 8 bytes of magic, 8 bytes of the header's length (little endian), the header as JSON, zeros up to a multiple of 64, the
//! intensities (u16, little endian, `[z, y, x]`), the truth (u8, same order), and where the case has one its map of organs (u8, same order).

use std::io::Write;
use std::path::Path;

use ndarray::{Array3, ArrayView3};
use serde::{Deserialize, Serialize};

use crate::dataset::scan_faults;
use crate::files::AtomicFile;
use crate::labels::MOST_LABELS;
use crate::network::ModelConfig;
use crate::quality::InputFeatures;
use crate::volume::{lps_spacing, lps_view, resample, Geometry, Volume};
use crate::{Error, Result};

/// Counted up where cases of earlier versions have to be prepared anew: version 1 did not look whether they are CTs.
const MAGIC: &[u8; 8] = b"ggpfnca2";
const FULL: f32 = u16::MAX as f32;

/// A volume and its truth, ready to cut samples from.
#[derive(Debug)]
pub struct TrainingCase {
    header: Header,
    store: Store,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    name: String,
    /// Voxels along z, y and x.
    size: [usize; 3],
    /// Their distances in mm.
    spacing: [f64; 3],
    /// Lowest and highest index of what has any label along z, y and x.
    pancreas: Option<[[usize; 3]; 2]>,
    /// The number of labels; 1 in cache files that do not say.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    labels: usize,
    /// Whether there is a map of organs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    organs: bool,
    /// What the voxels were made with and from: a cache made otherwise is not taken.
    key: String,
}

fn one() -> usize {
    1
}

fn is_one(labels: &usize) -> bool {
    *labels == 1
}

#[derive(Debug)]
enum Store {
    Memory { image: Vec<u16>, truth: Vec<u8>, organs: Vec<u8> },
    Mapped { map: memmap2::Mmap, start: usize },
}

impl TrainingCase {
    /// A case in memory. `mask` lies on the volume's grid, `[k, j, i]`. Of a network of one label, what is not 0 is that label; of several, bit
    /// number l of a voxel's byte is label l ([`LabelBits`](crate::labels::LabelBits)).
    ///
    /// Both are resampled to the network's working grid, a label to where its resampled mask reaches one half. The log warns
    /// of a volume that is no CT in Hounsfield units or has impossible voxel sizes: what it is for is the caller's to know.
    ///
    /// # Errors
    /// [`Error::Argument`] if the mask has another size than the volume.
    pub fn new(name: &str, volume: &Volume, mask: ArrayView3<u8>, config: &ModelConfig) -> Result<Self> {
        for (_, fault) in scan_faults(&InputFeatures::of(volume)) {
            log::warn!("{name}: {fault}");
        }
        Self::converted(name, volume, mask, None, config)
    }

    /// As [`new`](Self::new), with a map of other organs on the volume's grid, for trainings that have them as teachers
    /// ([`OrganOptions`](super::OrganOptions)); 255 is unknown.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::Argument`] if the map has another size than the volume.
    pub fn with_organs(
        name: &str,
        volume: &Volume,
        mask: ArrayView3<u8>,
        organs: ArrayView3<u8>,
        config: &ModelConfig,
    ) -> Result<Self> {
        if organs.dim() != volume.voxels().dim() {
            let fault = format!("{name}: they have {:?} voxels, the volume {:?}", organs.dim(), volume.voxels().dim());
            return Err(Error::argument("organs", fault));
        }
        for (_, fault) in scan_faults(&InputFeatures::of(volume)) {
            log::warn!("{name}: {fault}");
        }
        Self::converted(name, volume, mask, Some(organs), config)
    }

    /// As [`new`](Self::new), of a volume that was looked at, with a map of its organs if there is one.
    pub(super) fn converted(
        name: &str,
        volume: &Volume,
        mask: ArrayView3<u8>,
        organs: Option<ArrayView3<u8>>,
        config: &ModelConfig,
    ) -> Result<Self> {
        if mask.dim() != volume.voxels().dim() {
            let fault = format!("{name}: the mask has {:?} voxels, the volume {:?}", mask.dim(), volume.voxels().dim());
            return Err(Error::argument("mask", fault));
        }
        let geometry = volume.geometry();
        let image = lps_view(volume.voxels(), geometry);
        let truth = lps_view(mask, geometry);
        let (z, y, x) = image.dim();
        let (size, spacing) = config.working_grid([z, y, x], lps_spacing(geometry));
        let same = size == [z, y, x];
        let quantise = |hu: &f32| (config.normalise(*hu) * FULL).round() as u16;
        let labels = config.labels.count();
        let bits = |value: u8| match labels {
            1 => u8::from(value != 0),
            labels => value & (u8::MAX >> (MOST_LABELS - labels)),
        };
        let (image, truth) = if same {
            (image.iter().map(quantise).collect(), truth.iter().map(|v| bits(*v)).collect::<Vec<u8>>())
        } else {
            let mut resampled = vec![0; size.iter().product()];
            for label in 0..labels {
                let part = truth.mapv(|v| f32::from(bits(v) >> label & 1));
                let part = resample(part.view(), size, true);
                resampled.iter_mut().zip(&part).for_each(|(bits, part)| *bits |= u8::from(*part >= 0.5) << label);
            }
            let image = resample(image, size, true);
            (image.iter().map(quantise).collect(), resampled)
        };
        let pancreas = bounding_box(&truth, size);
        let organs = organs.map_or(Vec::new(), |organs| nearest(lps_view(organs, geometry), size));
        let header = Header {
            name: name.into(),
            size,
            spacing,
            pancreas,
            labels,
            organs: !organs.is_empty(),
            key: String::new(),
        };
        Ok(TrainingCase { header, store: Store::Memory { image, truth, organs } })
    }

    /// The case of a cache file, mapped, if the file is there and was made for `key`.
    pub fn open(path: &Path, key: &str) -> Result<Option<Self>> {
        let Ok(file) = std::fs::File::open(path) else { return Ok(None) };
        // Mapped, so that memory stays bounded. Sound as long as nobody shortens the file meanwhile: this library replaces cache files
        // by renaming, which leaves a mapped one as it was.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(|e| Error::file("read", path, e))?;
        let Some((header, start)) = parse(&map) else {
            log::info!("{}: not a whole cache file; it is made anew", path.display());
            return Ok(None);
        };
        if header.key != key {
            return Ok(None);
        }
        Ok(Some(TrainingCase { header, store: Store::Mapped { map, start } }))
    }

    /// Writes the case to a cache file, and gives the mapped one in its place. `key` says what it was made with and from.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be written.
    pub fn into_cache(mut self, path: &Path, key: &str) -> Result<Self> {
        self.header.key = key.into();
        let json = serde_json::to_vec(&self.header).map_err(|e| Error::Training(e.to_string()))?;
        let mut head = MAGIC.to_vec();
        head.extend((json.len() as u64).to_le_bytes());
        head.extend(json);
        head.resize(head.len().next_multiple_of(64), 0);
        let mut file = AtomicFile::create(path)?;
        let fault = |e| Error::file("write", path, e);
        file.write_all(&head).map_err(fault)?;
        let (image, truth, organs) = match &self.store {
            Store::Memory { image, truth, organs } => (image, truth, organs),
            Store::Mapped { .. } => return Ok(self),
        };
        for part in image.chunks(1 << 16) {
            let bytes: Vec<u8> = part.iter().flat_map(|v| v.to_le_bytes()).collect();
            file.write_all(&bytes).map_err(fault)?;
        }
        file.write_all(truth).map_err(fault)?;
        file.write_all(organs).map_err(fault)?;
        file.commit()?;
        match Self::open(path, key)? {
            Some(case) => Ok(case),
            None => Err(Error::Training(format!("{}: the cache file changed while it was written", path.display()))),
        }
    }

    /// The case's name.
    pub fn name(&self) -> &str {
        &self.header.name
    }

    /// Voxels along z, y and x.
    pub fn size(&self) -> [usize; 3] {
        self.header.size
    }

    /// Spacing along z, y and x in mm.
    pub fn spacing(&self) -> [f64; 3] {
        self.header.spacing
    }

    /// Lowest and highest index of the pancreas, or of whatever has a label, along z, y and x; none if nothing has.
    pub fn pancreas(&self) -> Option<[[usize; 3]; 2]> {
        self.header.pancreas
    }

    /// The windowed intensity, 0 to 1, of the voxel number `index` in `[z, y, x]` order.
    #[inline]
    pub(super) fn intensity(&self, index: usize) -> f32 {
        let value = match &self.store {
            Store::Memory { image, .. } => image[index],
            Store::Mapped { map, start } => {
                let at = start + 2 * index;
                u16::from_le_bytes([map[at], map[at + 1]])
            }
        };
        f32::from(value) / FULL
    }

    /// The labels of the voxel number `index`, bit 0 being the first's: of the pancreas alone, 1 or 0.
    #[inline]
    pub(super) fn truth(&self, index: usize) -> u8 {
        match &self.store {
            Store::Memory { truth, .. } => truth[index],
            Store::Mapped { map, start } => map[start + 2 * self.voxels() + index],
        }
    }

    /// The number of labels.
    pub(super) fn labels(&self) -> usize {
        self.header.labels
    }

    /// Whether the case has a map of organs.
    pub(super) fn has_organs(&self) -> bool {
        self.header.organs
    }

    /// The organ of the voxel number `index`, of a case that has a map of them.
    #[inline]
    pub(super) fn organ(&self, index: usize) -> u8 {
        match &self.store {
            Store::Memory { organs, .. } => organs[index],
            Store::Mapped { map, start } => map[start + 3 * self.voxels() + index],
        }
    }

    fn voxels(&self) -> usize {
        self.header.size.iter().product()
    }

    /// The volume in Hounsfield units (clipped to the window, low to high), on an axis-aligned LPS grid.
    pub(super) fn to_volume(&self, window: [f64; 2]) -> Result<Volume> {
        let [low, high] = window.map(|v| v as f32);
        let voxels = (0..self.voxels()).map(|i| low + (high - low) * self.intensity(i)).collect();
        let [z, y, x] = self.header.size;
        let [sz, sy, sx] = self.header.spacing;
        let voxels = Array3::from_shape_vec((z, y, x), voxels).map_err(|e| Error::Volume(e.to_string()))?;
        Volume::new(voxels, Geometry::axis_aligned([x, y, z], [sx, sy, sz]))
    }
}

fn parse(bytes: &[u8]) -> Option<(Header, usize)> {
    let length = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
    if &bytes[..8] != MAGIC || length > 1 << 20 {
        return None;
    }
    let end = 16 + length as usize;
    let header: Header = serde_json::from_slice(bytes.get(16..end)?).ok()?;
    let start = end.next_multiple_of(64);
    let voxels = header.size.iter().try_fold(1_usize, |product, n| product.checked_mul(*n))?;
    let bytes_of_voxel = if header.organs { 4 } else { 3 };
    (bytes.len() == start.checked_add(voxels.checked_mul(bytes_of_voxel)?)?).then_some((header, start))
}

/// A map on `size` voxels over the same extent: each has the value of the nearest one.
fn nearest(map: ArrayView3<u8>, size: [usize; 3]) -> Vec<u8> {
    let (z, y, x) = map.dim();
    let from = |index: usize, new: usize, old: usize| ((2 * index + 1) * old / (2 * new)).min(old - 1);
    let at = |number: usize| {
        let [k, j, i] = [number / (size[1] * size[2]), number / size[2] % size[1], number % size[2]];
        map[[from(k, size[0], z), from(j, size[1], y), from(i, size[2], x)]]
    };
    (0..size.iter().product()).map(at).collect()
}

fn bounding_box(truth: &[u8], size: [usize; 3]) -> Option<[[usize; 3]; 2]> {
    let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
    for (index, _) in truth.iter().enumerate().filter(|(_, v)| **v != 0) {
        let at = [index / (size[1] * size[2]), index / size[2] % size[1], index % size[2]];
        for axis in 0..3 {
            low[axis] = low[axis].min(at[axis]);
            high[axis] = high[axis].max(at[axis]);
        }
    }
    (low[0] != usize::MAX).then_some([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume() -> (Volume, Array3<u8>) {
        let voxels = Array3::from_shape_fn((4, 5, 6), |(k, j, i)| (100 * k + 10 * j + i) as f32 - 120.0);
        let mut mask = Array3::zeros((4, 5, 6));
        mask[[1, 2, 3]] = 2;
        mask[[2, 2, 4]] = 1;
        (Volume::new(voxels, Geometry::axis_aligned([6, 5, 4], [1.0, 1.5, 3.0])).unwrap(), mask)
    }

    #[test]
    fn a_case_is_windowed_and_in_the_patients_frame() {
        let (mut volume, mask) = volume();
        let case = TrainingCase::new("a", &volume, mask.view(), &ModelConfig::default()).unwrap();
        assert_eq!((case.size(), case.spacing()), ([4, 5, 6], [3.0, 1.5, 1.0]));
        assert_eq!(case.pancreas(), Some([[1, 2, 3], [2, 2, 4]]));
        assert_eq!(case.intensity(0), 0.0); // -120 HU is below the window
        let middle = (30 + 12 + 3, (100.0 + 20.0 + 3.0 - 120.0 + 100.0) / 340.0);
        assert!((case.intensity(middle.0) - middle.1).abs() < 1e-5);
        assert_eq!((case.truth(45), case.truth(44)), (1, 0));
        // The same voxels said to lie the other way round in x.
        let mut geometry = volume.geometry().clone();
        geometry.direction[0][0] = -1.0;
        volume = Volume::new(volume.into_voxels(), geometry).unwrap();
        let flipped = TrainingCase::new("b", &volume, mask.view(), &ModelConfig::default()).unwrap();
        assert_eq!(flipped.pancreas(), Some([[1, 2, 1], [2, 2, 2]]));
        assert_eq!(flipped.intensity(30 + 12 + 2), case.intensity(45));
    }

    #[test]
    fn a_cache_gives_the_same_voxels_and_is_refused_for_another_key_or_when_damaged() {
        let (volume, mask) = volume();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b.case");
        let memory = TrainingCase::new("a", &volume, mask.view(), &ModelConfig::default()).unwrap();
        let values: Vec<_> = (0..120).map(|i| (memory.intensity(i), memory.truth(i))).collect();
        let mapped = memory.into_cache(&path, "key").unwrap();
        assert!((0..120).all(|i| (mapped.intensity(i), mapped.truth(i)) == values[i]));
        assert!(TrainingCase::open(&path, "key").unwrap().is_some());
        assert!(TrainingCase::open(&path, "other").unwrap().is_none());
        assert!(TrainingCase::open(&folder.path().join("none"), "key").unwrap().is_none());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(TrainingCase::open(&path, "key").unwrap().is_none());
    }

    #[test]
    fn a_working_spacing_resamples_image_and_truth() {
        let ball = |(k, j, i): (usize, usize, usize)| {
            (k as f64 * 2.0 - 20.0).powi(2) + (j as f64 - 20.0).powi(2) + (i as f64 - 20.0).powi(2) < 144.0
        };
        let voxels = Array3::from_shape_fn((21, 41, 41), |at| if ball(at) { 100.0 } else { -50.0 });
        let mask = voxels.mapv(|v| u8::from(v > 0.0));
        let volume = Volume::new(voxels, Geometry::axis_aligned([41, 41, 21], [1.0, 1.0, 2.0])).unwrap();
        let config = ModelConfig { spacing: Some([2.0; 3]), ..ModelConfig::default() };
        let case = TrainingCase::new("ball", &volume, mask.view(), &config).unwrap();
        assert_eq!(case.size(), [21, 21, 21]);
        let inside = (0..case.voxels()).filter(|i| case.truth(*i) == 1).count() as f64 * 8.0;
        let expected = 4.0 / 3.0 * std::f64::consts::PI * 12.0_f64.powi(3);
        assert!((inside / expected - 1.0).abs() < 0.06, "{inside} {expected}");
    }
}

//! Slices to scroll through, with the masks' contours as lines that can be switched off.

use std::fmt::Write;

use ndarray::{s, ArrayView2, ArrayView3, Axis};

use super::html::{base64, escape};
use crate::evaluation::canvas::encode_png;
use crate::evaluation::scene::{count, fullest, windowed, Part, Scene};

/// What is shown around the masks, and the least that is shown, in mm.
const MARGIN_MM: f64 = 20.0;
const LEAST_MM: f64 = 90.0;
/// Slices and pixels of one viewer, so that a report stays small whatever the scans are.
const MOST_SLICES: usize = 60;
const MOST_PIXELS: usize = 256;

/// A case's slices, cut to what is around the masks and encoded.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Voxels from left to right and from front to back, and their size in mm.
    columns: usize,
    rows: usize,
    spacing: [f64; 2],
    /// Axial slices of the whole scan.
    depth: usize,
    slices: Vec<Slice>,
    /// The slice that is shown first: the one with most of the truth.
    first: usize,
    masks: usize,
}

#[derive(Clone, Debug)]
struct Slice {
    /// From 0, at the feet.
    number: usize,
    /// A PNG in base64; none without a CT.
    image: Option<String>,
    /// The contours of the truth and of each prediction, as paths of SVG.
    contours: Vec<String>,
}

impl Viewer {
    pub fn of(scene: &Scene) -> Self {
        let part = scene.part(MARGIN_MM, LEAST_MM);
        let Part { low, high } = part;
        // Slices without any mask tell little; a few of them remain above and below.
        let empty_mm = 10.0;
        let along = scene.part(empty_mm, 0.0);
        let (from, to) = (along.low[0], along.high[0]);
        let every = (to - from).div_ceil(MOST_SLICES).max(1);
        let masks: Vec<_> = std::iter::once(scene.truth).chain(scene.predictions.iter().copied()).collect();
        let window = s![low[1]..high[1], low[2]..high[2]];
        let slices: Vec<Slice> = (from..to)
            .step_by(every)
            .map(|number| Slice {
                number,
                image: scene.image.map(|image| encoded(image.index_axis(Axis(0), number).slice(window))),
                contours: masks.iter().map(|mask| contour(mask.index_axis(Axis(0), number).slice(window))).collect(),
            })
            .collect();
        let inside = |mask: &ArrayView3<u8>| {
            let counts: Vec<_> = slices.iter().map(|slice| count(mask.index_axis(Axis(0), slice.number))).collect();
            fullest(&counts)
        };
        let first = masks.iter().filter_map(inside).next().unwrap_or(slices.len() / 2);
        Viewer {
            columns: high[2] - low[2],
            rows: high[1] - low[1],
            spacing: [scene.spacing[2], scene.spacing[1]],
            depth: scene.truth.dim().0,
            slices,
            first,
            masks: masks.len(),
        }
    }

    /// The viewer as HTML. `names` are those of the predictions.
    pub fn html(&self, label: &str, names: &[&str]) -> String {
        let Some(shown) = self.slices.get(self.first) else { return String::new() };
        let (width, height) = (self.columns, self.rows);
        let (wide, high) = (width as f64 * self.spacing[0], height as f64 * self.spacing[1]);
        let mut text = format!(
            "<div class=\"viewer\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">\n<svg viewBox=\"0 0 {width} {height}\" \
             preserveAspectRatio=\"none\" style=\"aspect-ratio: {wide:.2} / {high:.2}\">\n<rect width=\"{width}\" height=\"{height}\"/>\n",
            escape(label)
        );
        if let Some(image) = &shown.image {
            let _ = writeln!(
                text,
                "<image width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" href=\"data:image/png;base64,{image}\"/>"
            );
        }
        for (number, path) in shown.contours.iter().enumerate() {
            let _ = writeln!(text, "<path class=\"m{number}\" d=\"{path}\"/>");
        }
        let last = self.slices.len() - 1;
        let _ = write!(
            text,
            "</svg>\n<div class=\"controls\"><input type=\"range\" min=\"0\" max=\"{last}\" value=\"{}\" aria-label=\"slice\" hidden> \
             <output>axial slice {} of {}</output></div>\n<div class=\"controls\">",
            self.first,
            shown.number + 1,
            self.depth
        );
        for (number, name) in std::iter::once(&"truth").chain(names).take(self.masks).enumerate() {
            let _ = write!(
                text,
                "<label class=\"k{number}\"><input type=\"checkbox\" checked data-mask=\"{number}\"> {}</label> ",
                escape(name)
            );
        }
        text += "</div>\n<script type=\"application/json\">[";
        for (number, slice) in self.slices.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            let _ = write!(
                text,
                "{comma}{{\"n\":{},\"i\":\"{}\",\"c\":[",
                slice.number + 1,
                slice.image.as_deref().unwrap_or("")
            );
            let quoted: Vec<String> = slice.contours.iter().map(|path| format!("\"{path}\"")).collect();
            let _ = write!(text, "{}]}}", quoted.join(","));
        }
        text += "]</script>\n</div>\n";
        text
    }
}

/// A slice as a grey PNG in base64, of every second pixel or fewer if there are too many.
fn encoded(slice: ArrayView2<f32>) -> String {
    let every = slice.dim().0.max(slice.dim().1).div_ceil(MOST_PIXELS).max(1) as isize;
    let slice = slice.slice(s![..;every, ..;every]);
    let pixels: Vec<u8> = slice.iter().map(|hu| windowed(*hu)).collect();
    let size = [slice.dim().1, slice.dim().0];
    // A buffer in memory takes all that is written, and the pixels are as many as the size says.
    encode_png(size, png::ColorType::Grayscale, &pixels).map_or(String::new(), |png| base64(&png))
}

/// The borders between voxels inside and outside, as the path of an SVG in voxels: runs along rows, then along columns.
fn contour(mask: ArrayView2<u8>) -> String {
    let (rows, columns) = mask.dim();
    let inside = |row: usize, column: usize| row < rows && column < columns && mask[[row, column]] != 0;
    let mut path = String::new();
    let mut runs = |lines: usize, length: usize, border: &dyn Fn(usize, usize) -> bool, across: bool| {
        for line in 0..=lines {
            let mut at = 0;
            while at < length {
                let run = (at..length).take_while(|place| border(line, *place)).count();
                if run > 0 {
                    let _ = match across {
                        true => write!(path, "M{at} {line}h{run}"),
                        false => write!(path, "M{line} {at}v{run}"),
                    };
                }
                at += run.max(1);
            }
        }
    };
    // An index before the first wraps to one that is outside.
    runs(rows, columns, &|line, at| inside(line.wrapping_sub(1), at) != inside(line, at), true);
    runs(columns, rows, &|line, at| inside(at, line.wrapping_sub(1)) != inside(at, line), false);
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_contour_goes_around_each_voxel_once() {
        assert_eq!(contour(array![[0, 0, 0], [0, 1, 1], [0, 0, 1]].view()), "M1 1h2M1 2h1M2 3h1M1 1v1M2 2v1M3 1v2");
        assert_eq!(contour(array![[1]].view()), "M0 0h1M0 1h1M0 0v1M1 0v1");
        assert_eq!(contour(array![[0, 0]].view()), "");
    }
}

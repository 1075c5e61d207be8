//! Masks in three views, as the paper's figures show them: contours on the CT, and true, false and missed regions.

use std::collections::BTreeMap;
use std::path::Path;

use embedded_graphics::mono_font::iso_8859_1::{FONT_10X20, FONT_9X15};
use embedded_graphics::text::Alignment;
use ndarray::{s, Array3, ArrayView2, ArrayView3, Axis};

use super::canvas::{Canvas, Colour};
use crate::volume::View;
use crate::{Error, Result};

/// The window that abdominal CTs are read in: level 50, width 400.
const WINDOW: (f32, f32) = (-150.0, 250.0);
/// What is shown around the masks, and the least that is shown at all, in mm.
const MARGIN_MM: f64 = 25.0;
const LEAST_MM: f64 = 110.0;
/// Pixels per millimetre, unless a panel would get larger than so many pixels.
const SCALE: f64 = 3.2;
const LARGEST: f64 = 640.0;
const GAP: usize = 8;

/// The paper's colours: of contours for the truth and the result, of regions for what is true, false and missed.
const TRUTH: Colour = [255, 70, 60];
const RESULT: Colour = [80, 230, 110];
const TRUE: Colour = [70, 130, 255];
const FALSE: Colour = [60, 220, 90];
const MISSED: Colour = [255, 70, 60];
/// Of the map that is blended over the CT, and how much of it there is at probability 1.
const GUIDANCE: Colour = [255, 200, 40];
const OPACITY: f32 = 0.6;

/// A case to be looked at: voxels as `[z, y, x]` of the LPS frame ([`lps_view`](crate::volume::lps_view)), all of one shape.
#[derive(Clone)]
pub struct Scene<'a> {
    /// The CT, in Hounsfield units; without it masks are shown on grey.
    pub image: Option<ArrayView3<'a, f32>>,
    /// What is right.
    pub truth: ArrayView3<'a, u8>,
    /// One or more results.
    pub predictions: Vec<ArrayView3<'a, u8>>,
    /// In mm, along z, y and x.
    pub spacing: [f64; 3],
}

/// Part of a volume: first voxel and one past the last, along z, y and x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub low: [usize; 3],
    pub high: [usize; 3],
}

impl Scene<'_> {
    fn check(&self) -> Result<()> {
        let shape = self.truth.dim();
        let masks = self.predictions.iter().all(|mask| mask.dim() == shape);
        match masks && self.image.is_none_or(|image| image.dim() == shape) && !self.truth.is_empty() {
            true => Ok(()),
            false => Err(Error::argument("scene", "image and masks have different shapes; one grid was expected")),
        }
    }

    /// The masks and what lies `margin` mm around them, but at least so many mm along each axis; everything where no mask has a voxel.
    pub fn part(&self, margin: f64, least: f64) -> Part {
        let shape: [usize; 3] = [self.truth.dim().0, self.truth.dim().1, self.truth.dim().2];
        let mut part = Part { low: [0; 3], high: shape };
        for (axis, size) in shape.into_iter().enumerate() {
            let inside = |index: &usize| {
                let mut masks = self.predictions.iter().chain([&self.truth]);
                masks.any(|mask| mask.index_axis(Axis(axis), *index).iter().any(|v| *v != 0))
            };
            let (Some(first), Some(last)) = ((0..size).find(inside), (0..size).rev().find(inside)) else {
                return part;
            };
            let extent = (last - first + 1) as f64 * self.spacing[axis];
            let around = (margin.max(0.5 * (least - extent)) / self.spacing[axis]).ceil() as usize;
            part.low[axis] = first.saturating_sub(around);
            part.high[axis] = (last + 1 + around).min(size);
        }
        part
    }

    /// The slice of a view with most of the truth in it, or of the results where the truth is empty.
    fn slice_of(&self, view: View) -> usize {
        let axis = Axis(view.axes()[0]);
        let inside = |mask: &ArrayView3<u8>| fullest(&mask.axis_iter(axis).map(count).collect::<Vec<_>>());
        let masks = std::iter::once(&self.truth).chain(&self.predictions);
        masks.filter_map(inside).next().unwrap_or(self.truth.len_of(axis) / 2)
    }

    /// Writes a PNG with the contours of truth (red) and first result (green) in an axial, a sagittal and a coronal slice, as figures 3 and
    /// 6 of the paper have them, with the Dice in the corner. The slices are those with most of the truth.
    ///
    /// # Errors
    /// [`Error::Argument`] if the shapes differ, [`Error::File`] if the picture cannot be written.
    pub fn draw_contours(&self, path: &Path, dice: Option<f64>) -> Result<()> {
        let legend = [("truth", TRUTH), ("result", RESULT)];
        self.draw(path, dice, &legend, |panel, row, column, grey| {
            let mut colour = [grey; 3];
            for (mask, outline) in [(panel.truth, TRUTH), (panel.result, RESULT)] {
                if panel.on_contour(mask, row, column) {
                    colour = outline;
                }
            }
            colour
        })
    }

    /// Writes a PNG with the regions that are true (blue), false (green) and missed (red), as figure 5 of the paper has them.
    ///
    /// # Errors
    /// As [`draw_contours`](Self::draw_contours).
    pub fn draw_regions(&self, path: &Path, dice: Option<f64>) -> Result<()> {
        let legend = [("true", TRUE), ("false", FALSE), ("missed", MISSED)];
        self.draw(path, dice, &legend, |panel, row, column, grey| {
            let region = match (panel.inside(panel.truth, row, column), panel.inside(panel.result, row, column)) {
                (true, true) => TRUE,
                (false, true) => FALSE,
                (true, false) => MISSED,
                (false, false) => return [grey; 3],
            };
            region.map(|part| ((u32::from(part) * 3 + u32::from(grey) * 2) / 5) as u8)
        })
    }

    /// Writes a PNG with the contours of [`draw_contours`](Self::draw_contours), over the map of the global branch of each view, as figure 1 of the
    /// paper has them. `guidance` gives the map of a view ([`guidance`](crate::inference::guidance)), in the shape of the part of the image that it is
    /// given: the slice that is drawn. A view without a map is drawn without.
    ///
    /// # Errors
    /// As [`draw_contours`](Self::draw_contours), [`Error::Argument`] without an image or for a map of another shape, and those of `guidance`.
    pub fn draw_guidance(
        &self,
        path: &Path,
        dice: Option<f64>,
        guidance: impl Fn(View, ArrayView3<f32>) -> Result<Option<Array3<f32>>>,
    ) -> Result<()> {
        self.check()?;
        let Some(image) = self.image else {
            return Err(Error::argument("scene", "it has no image, which the map is of"));
        };
        let mut maps = BTreeMap::new();
        for view in View::ALL {
            let number = self.slice_of(view);
            let slice = image.slice_axis_move(Axis(view.axes()[0]), (number..number + 1).into());
            let Some(map) = guidance(view, slice)? else { continue };
            if map.dim() != slice.dim() {
                return Err(Error::argument("guidance", "its shape is not the slice's; one grid was expected"));
            }
            maps.insert(view, map);
        }
        let legend = [("truth", TRUTH), ("result", RESULT), ("global branch", GUIDANCE)];
        self.draw(path, dice, &legend, |panel, row, column, grey| {
            for (mask, outline) in [(panel.result, RESULT), (panel.truth, TRUTH)] {
                if panel.on_contour(mask, row, column) {
                    return outline;
                }
            }
            let map = maps.get(&panel.view).map(|map| panel.of(map.view()));
            let opacity = map.map_or(0.0, |map| OPACITY * panel.value(map, row, column).clamp(0.0, 1.0));
            GUIDANCE.map(|part| (f32::from(part) * opacity + f32::from(grey) * (1.0 - opacity)) as u8)
        })
    }

    fn draw(
        &self,
        path: &Path,
        dice: Option<f64>,
        legend: &[(&str, Colour)],
        pixel: impl Fn(&Panel, i64, i64, u8) -> Colour,
    ) -> Result<()> {
        self.check()?;
        let part = self.part(MARGIN_MM, LEAST_MM);
        let longest =
            (0..3).map(|axis| (part.high[axis] - part.low[axis]) as f64 * self.spacing[axis]).fold(1.0, f64::max);
        let scale = SCALE.min(LARGEST / longest);
        let panels: Vec<Panel> = View::ALL.iter().map(|view| Panel::new(self, *view, part, scale)).collect();
        let width = panels.iter().map(|p| p.width).sum::<usize>() + GAP * (panels.len() - 1);
        let height = panels.iter().map(|p| p.height).max().unwrap_or(1);
        let mut pixels = vec![0_u8; 3 * width * height];
        let mut left = 0;
        for panel in &panels {
            let top = (height - panel.height) / 2;
            for row in 0..panel.height {
                for column in 0..panel.width {
                    let colour = pixel(panel, row as i64, column as i64, panel.grey(row, column));
                    let at = 3 * ((top + row) * width + left + column);
                    pixels[at..at + 3].copy_from_slice(&colour);
                }
            }
            left += panel.width + GAP;
        }
        let mut canvas = Canvas::of(width, height, pixels);
        let text = dice.map_or("Dice -".into(), |dice| format!("Dice {:.2}", 100.0 * dice));
        canvas.rectangle(0, 0, 10 * text.len() + 14, 26, [0; 3]);
        canvas.text(&text, 7, 13, Alignment::Left, &FONT_10X20, [255; 3]);
        let mut at = 7;
        let wide: usize = legend.iter().map(|(name, _)| 9 * name.len() + 28).sum();
        canvas.rectangle(0, height.saturating_sub(22), wide + 7, 22, [0; 3]);
        for (name, colour) in legend {
            let middle = height.saturating_sub(11);
            canvas.rectangle(at, middle.saturating_sub(4), 9, 9, *colour);
            canvas.text(name, at + 14, middle, Alignment::Left, &FONT_9X15, [255; 3]);
            at += 9 * name.len() + 28;
        }
        canvas.write(path)
    }
}

/// A slice of one view, cut to a part.
struct Panel<'a> {
    view: View,
    part: Part,
    width: usize,
    height: usize,
    image: Option<ArrayView2<'a, f32>>,
    truth: ArrayView2<'a, u8>,
    result: ArrayView2<'a, u8>,
    /// Whether the first row of voxels is at the bottom: radiologists see the head end at the top.
    upwards: bool,
}

impl<'a> Panel<'a> {
    fn new(scene: &'a Scene, view: View, part: Part, scale: f64) -> Self {
        let [_, r, c] = view.axes();
        let number = scene.slice_of(view);
        let range = |axis: usize| part.low[axis]..part.high[axis];
        let pixels = |axis: usize| ((range(axis).len() as f64 * scene.spacing[axis] * scale).round() as usize).max(1);
        Panel {
            view,
            part,
            width: pixels(c),
            height: pixels(r),
            image: scene.image.map(|image| cut(image, view, number, range(r), range(c))),
            truth: cut(scene.truth, view, number, range(r), range(c)),
            result: cut(*scene.predictions.first().unwrap_or(&scene.truth), view, number, range(r), range(c)),
            upwards: view != View::Axial,
        }
    }

    fn row(&self, row: i64) -> i64 {
        if self.upwards {
            self.height as i64 - 1 - row
        } else {
            row
        }
    }

    fn inside(&self, mask: ArrayView2<u8>, row: i64, column: i64) -> bool {
        let row = self.row(row);
        if row < 0 || column < 0 || row >= self.height as i64 || column >= self.width as i64 {
            return false;
        }
        let (rows, columns) = mask.dim();
        mask[[row as usize * rows / self.height, column as usize * columns / self.width]] != 0
    }

    /// Whether a pixel belongs to a line of two pixels along the inner side of a mask's border.
    fn on_contour(&self, mask: ArrayView2<u8>, row: i64, column: i64) -> bool {
        self.inside(mask, row, column)
            && [-2_i64, 0, 2]
                .iter()
                .any(|down| [-2_i64, 0, 2].iter().any(|right| !self.inside(mask, row + down, column + right)))
    }

    /// Of a volume that is the panel's slice alone what the panel shows.
    fn of<'v, T>(&self, volume: ArrayView3<'v, T>) -> ArrayView2<'v, T> {
        let [_, r, c] = self.view.axes();
        let range = |axis: usize| self.part.low[axis]..self.part.high[axis];
        cut(volume, self.view, 0, range(r), range(c))
    }

    /// The CT at a pixel.
    fn grey(&self, row: usize, column: usize) -> u8 {
        self.image.map_or(40, |image| windowed(self.value(image, row as i64, column as i64)))
    }

    /// Voxels at a pixel, interpolated between them.
    fn value(&self, image: ArrayView2<f32>, row: i64, column: i64) -> f32 {
        let (rows, columns) = image.dim();
        let row = self.row(row) as f64;
        let place = |at: f64, pixels: usize, voxels: usize| {
            let at = ((at + 0.5) * voxels as f64 / pixels as f64 - 0.5).clamp(0.0, (voxels - 1) as f64);
            (at as usize, (at as usize + 1).min(voxels - 1), at.fract() as f32)
        };
        let ((r0, r1, down), (c0, c1, right)) =
            (place(row, self.height, rows), place(column as f64, self.width, columns));
        let above = image[[r0, c0]] * (1.0 - right) + image[[r0, c1]] * right;
        let below = image[[r1, c0]] * (1.0 - right) + image[[r1, c1]] * right;
        above * (1.0 - down) + below * down
    }
}

/// The voxels of a slice that are inside.
pub fn count(slice: ArrayView2<u8>) -> usize {
    slice.iter().filter(|v| **v != 0).count()
}

/// The place of the largest count, of several the middle one; none if all are 0.
pub fn fullest(counts: &[usize]) -> Option<usize> {
    let most = counts.iter().copied().max().filter(|most| *most > 0)?;
    let places: Vec<usize> = (0..counts.len()).filter(|place| counts[*place] == most).collect();
    places.get((places.len() - 1) / 2).copied()
}

fn cut<T>(
    volume: ArrayView3<T>,
    view: View,
    number: usize,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
) -> ArrayView2<T> {
    view.slices(volume).index_axis_move(Axis(0), number).slice_move(s![rows, columns])
}

/// Hounsfield units as a shade of grey.
pub fn windowed(hu: f32) -> u8 {
    (255.0 * (hu.clamp(WINDOW.0, WINDOW.1) - WINDOW.0) / (WINDOW.1 - WINDOW.0)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours(path: &Path) -> Vec<[u8; 3]> {
        let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect()
    }

    #[test]
    fn contours_and_regions_show_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let image = Array3::from_elem((20, 60, 50), 50.0_f32);
        let (mut truth, mut result) = (Array3::zeros((20, 60, 50)), Array3::zeros((20, 60, 50)));
        truth.slice_mut(s![5..15, 20..40, 10..30]).fill(1_u8);
        result.slice_mut(s![5..15, 20..40, 15..35]).fill(1_u8);
        let scene = |image, predictions| Scene { image, truth: truth.view(), predictions, spacing: [2.5, 1.0, 1.0] };
        let (contours, regions) = (folder.path().join("c.png"), folder.path().join("r.png"));
        let with_result = scene(Some(image.view()), vec![result.view()]);
        with_result.draw_contours(&contours, Some(0.75)).unwrap();
        with_result.draw_regions(&regions, Some(0.75)).unwrap();
        let count = |path: &Path, colour: Colour| colours(path).iter().filter(|c| **c == colour).count();
        assert!(count(&contours, TRUTH) > 500 && count(&contours, RESULT) > 500);
        let blended = |colour: Colour| colour.map(|part| ((u32::from(part) * 3 + 127 * 2) / 5) as u8);
        // 20 of 25 mm are common from left to right; each view but one shows a stripe of 5 mm on either side.
        let [hit, wrong, missed] = [TRUE, FALSE, MISSED].map(|colour| count(&regions, blended(colour)));
        assert!(wrong == missed && wrong > 0 && hit > 3 * wrong, "{hit} {wrong} {missed}");
        // No image, no result in sight, nothing at all.
        let none = Array3::zeros((20, 60, 50));
        scene(None, vec![none.view()]).draw_contours(&contours, None).unwrap();
        assert!(count(&contours, TRUTH) > 500);
        let empty = Scene { truth: none.view(), ..scene(None, vec![none.view()]) };
        empty.draw_regions(&regions, None).unwrap();
        let other = Array3::zeros((20, 60, 51));
        assert!(scene(None, vec![other.view()]).draw_contours(&contours, None).is_err());
    }
}

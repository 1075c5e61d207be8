//! A picture of a result: three slices through the pancreas, one of each view, with the mask's outline.

use std::path::Path;

use ggpfn::evaluation::write_png;
use ggpfn::volume::{lps_spacing, lps_view, View, Volume};
use ggpfn::Result;
use ndarray::ArrayView3;

/// Millimetres per pixel, height of the panels and the gap between them, in pixels.
const PIXEL_MM: f64 = 0.9;
const GAP: usize = 8;
/// The window that abdominal CTs are read in: level 50, width 400.
const WINDOW: (f32, f32) = (-150.0, 250.0);
/// Red for the result, green for a truth (the paper's figures have them the other way round; red is what one looks for).
const COLOURS: [[u8; 3]; 2] = [[255, 70, 60], [80, 230, 110]];

/// Writes a PNG with an axial, a sagittal and a coronal slice through the voxel `centre`, `[z, y, x]` of the LPS frame, and the
/// outlines of up to two masks.
pub fn write(path: &Path, volume: &Volume, masks: &[ArrayView3<u8>], centre: [usize; 3]) -> Result<()> {
    let geometry = volume.geometry();
    let voxels = lps_view(volume.voxels(), geometry);
    let masks: Vec<_> = masks.iter().map(|mask| lps_view(mask.view(), geometry)).collect();
    let spacing = lps_spacing(geometry);
    let panels: Vec<Panel> = View::ALL.iter().map(|view| Panel::new(*view, &voxels, &masks, spacing, centre)).collect();
    let width = panels.iter().map(|p| p.width).sum::<usize>() + GAP * (panels.len() - 1);
    let height = panels.iter().map(|p| p.height).max().unwrap_or(1);
    let mut pixels = vec![0_u8; 3 * width * height];
    let mut left = 0;
    for panel in &panels {
        for row in 0..panel.height {
            let at = 3 * (row * width + left);
            pixels[at..at + 3 * panel.width]
                .copy_from_slice(&panel.pixels[3 * row * panel.width..3 * (row + 1) * panel.width]);
        }
        left += panel.width + GAP;
    }
    write_png(path, [width, height], &pixels)
}

struct Panel {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Panel {
    fn new(
        view: View,
        voxels: &ArrayView3<f32>,
        masks: &[ArrayView3<u8>],
        spacing: [f64; 3],
        centre: [usize; 3],
    ) -> Self {
        let [s, r, c] = view.axes();
        let slice = view.slices(voxels.view()).index_axis_move(ndarray::Axis(0), centre[s]);
        let masks: Vec<_> =
            masks.iter().map(|m| view.slices(m.view()).index_axis_move(ndarray::Axis(0), centre[s])).collect();
        let (rows, columns) = slice.dim();
        let pixel_count = |n: usize, spacing: f64| ((n as f64 * spacing / PIXEL_MM).round() as usize).clamp(1, 2000);
        let (height, width) = (pixel_count(rows, spacing[r]), pixel_count(columns, spacing[c]));
        // Radiologists see the head end at the top: sagittal and coronal rows run along z, upwards.
        let upwards = view != View::Axial;
        let voxel_of = |row: usize, column: usize| {
            let row = if upwards { height - 1 - row } else { row };
            ((row * rows / height).min(rows - 1), (column * columns / width).min(columns - 1))
        };
        let mut pixels = Vec::with_capacity(3 * width * height);
        for row in 0..height {
            for column in 0..width {
                let at = voxel_of(row, column);
                let grey = (slice[at].clamp(WINDOW.0, WINDOW.1) - WINDOW.0) / (WINDOW.1 - WINDOW.0);
                let mut colour = [(255.0 * grey) as u8; 3];
                for (mask, outline) in masks.iter().zip(COLOURS) {
                    let inside = |row: usize, column: usize| mask[voxel_of(row, column)] != 0;
                    let border = inside(row, column)
                        && (row == 0
                            || column == 0
                            || row + 1 == height
                            || column + 1 == width
                            || !inside(row - 1, column)
                            || !inside(row + 1, column)
                            || !inside(row, column - 1)
                            || !inside(row, column + 1));
                    if border {
                        colour = outline;
                    }
                }
                pixels.extend(colour);
            }
        }
        Panel { width, height, pixels }
    }
}

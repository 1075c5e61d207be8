//! A picture to draw charts on: rectangles, smooth lines, text in a font that is part of the program, and PNG.

use std::convert::Infallible;
use std::path::Path;

use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

use crate::files;
use crate::{Error, Result};

/// Red, green and blue, 0 to 255.
pub type Colour = [u8; 3];

/// An image in memory, white at first. Places are in pixels from the left upper corner; what is drawn outside is not seen.
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    pub fn new(width: usize, height: usize) -> Self {
        Canvas { width, height, pixels: vec![255; 3 * width * height] }
    }

    /// One with these pixels, red, green and blue, row by row.
    pub fn of(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        debug_assert_eq!(pixels.len(), 3 * width * height);
        Canvas { width, height, pixels }
    }

    fn blend(&mut self, x: usize, y: usize, colour: Colour, coverage: f32) {
        if x < self.width && y < self.height {
            let at = 3 * (y * self.width + x);
            for (old, new) in self.pixels[at..at + 3].iter_mut().zip(colour) {
                *old = (*old as f32 + (new as f32 - *old as f32) * coverage).round() as u8;
            }
        }
    }

    pub fn rectangle(&mut self, left: usize, top: usize, width: usize, height: usize, colour: Colour) {
        for y in top..top + height {
            for x in left..left + width {
                self.blend(x, y, colour, 1.0);
            }
        }
    }

    /// One line of text; `x` is its left end, middle or right end by its alignment, `y` its middle.
    pub fn text(&mut self, text: &str, x: usize, y: usize, align: Alignment, font: &MonoFont, colour: Colour) {
        let [r, g, b] = colour;
        let style = TextStyleBuilder::new().alignment(align).baseline(Baseline::Middle).build();
        let text = Text::with_text_style(
            text,
            Point::new(x as i32, y as i32),
            MonoTextStyle::new(font, Rgb888::new(r, g, b)),
            style,
        );
        let Ok(_) = text.draw(self);
    }

    /// A line through `points`, `width` pixels wide; of a single point, a dot. Each of `dots` is drawn as a dot.
    pub fn curve(&mut self, points: &[(f64, f64)], width: f64, dots: &[(f64, f64)], colour: Colour) {
        // Coverage is gathered first, so that a line is nowhere darker where it meets itself.
        let mut coverage = vec![0.0_f32; self.width * self.height];
        for ends in points.windows(2) {
            self.capsule(&mut coverage, ends[0], ends[1], 0.5 * width);
        }
        for dot in dots.iter().chain(points.first().filter(|_| points.len() == 1)) {
            self.capsule(&mut coverage, *dot, *dot, 1.5 * width);
        }
        for (at, coverage) in coverage.into_iter().enumerate().filter(|(_, coverage)| *coverage > 0.0) {
            self.blend(at % self.width, at / self.width, colour, coverage);
        }
    }

    /// Covers all that is within `radius` of the line from `a` to `b`.
    fn capsule(&self, coverage: &mut [f32], a: (f64, f64), b: (f64, f64), radius: f64) {
        let reach = radius + 1.0;
        let range = |a: f64, b: f64, size: usize| {
            let pixel = |at: f64| at.clamp(0.0, size as f64) as usize;
            pixel((a.min(b) - reach).floor())..pixel((a.max(b) + reach).ceil())
        };
        let (along, across) = (b.0 - a.0, b.1 - a.1);
        let squared = along * along + across * across;
        for y in range(a.1, b.1, self.height) {
            // Of a steep or flat line only the pixels near it in this row.
            let (y0, y1) = (y as f64 + 0.5 - reach, y as f64 + 0.5 + reach);
            let at =
                |y: f64| if across == 0.0 { None } else { Some(a.0 + along * ((y - a.1) / across).clamp(0.0, 1.0)) };
            let (x0, x1) = (at(y0).unwrap_or(a.0), at(y1).unwrap_or(b.0));
            for x in range(x0, x1, self.width) {
                let (dx, dy) = (x as f64 + 0.5 - a.0, y as f64 + 0.5 - a.1);
                let part = if squared > 0.0 { ((dx * along + dy * across) / squared).clamp(0.0, 1.0) } else { 0.0 };
                let distance = (dx - part * along).hypot(dy - part * across);
                let covered = (radius + 0.5 - distance).clamp(0.0, 1.0) as f32;
                let pixel = &mut coverage[y * self.width + x];
                *pixel = pixel.max(covered);
            }
        }
    }

    /// Writes the picture as PNG; the file appears whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_png(path, [self.width, self.height], &self.pixels)
    }
}

/// Writes red, green and blue pixels, row by row, as a PNG of `[width, height]`; the file appears whole or not at all.
///
/// # Errors
/// [`Error::File`] if it cannot be written, or the pixels are not as many as the size says.
pub fn write_png(path: &Path, size: [usize; 2], pixels: &[u8]) -> Result<()> {
    let encoded = encode_png(size, png::ColorType::Rgb, pixels)
        .map_err(|e| Error::file("write", path, std::io::Error::other(e)))?;
    files::write(path, &encoded)
}

/// Pixels of 8 bits a channel as the bytes of a PNG.
pub fn encode_png(
    [width, height]: [usize; 2],
    colours: png::ColorType,
    pixels: &[u8],
) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let mut encoded = Vec::new();
    let mut encoder = png::Encoder::new(&mut encoded, width as u32, height as u32);
    encoder.set_color(colours);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(encoded)
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> std::result::Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            if let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) {
                self.blend(x, y, [colour.r(), colour.g(), colour.b()], 1.0);
            }
        }
        Ok(())
    }
}

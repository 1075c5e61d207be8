//! Line charts of a training's log or of an evaluation, stacked in one PNG.
//!
//! The font is part of the program, so charts look alike on every machine. It knows Latin letters; others show as a question
//! mark.

use std::path::Path;

use embedded_graphics::mono_font::iso_8859_1::{FONT_10X20, FONT_9X15};
use embedded_graphics::text::Alignment;

use super::canvas::{Canvas, Colour};
use crate::{Error, Result};

/// Colours for series, in the order in which to use them; they can be told apart with colour-blind eyes too.
pub const COLOURS: [[u8; 3]; 6] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233]];

/// One line of a chart.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend, in which one without a name does not stand.
    pub name: String,
    /// Red, green and blue, 0 to 255; [`COLOURS`] has some.
    pub colour: [u8; 3],
    /// (x, y), joined in this order. A point with a value that is not finite, beyond 1e300 either way, or not above 0 on a
    /// logarithmic axis, is left out. There may be any number of points, none too.
    pub points: Vec<(f64, f64)>,
}

/// One chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What stands above it.
    pub title: String,
    /// What stands below it.
    pub x_label: String,
    /// Its lines; later ones lie above earlier ones.
    pub series: Vec<Series>,
    /// Whether the y axis is logarithmic.
    pub log_y: bool,
}

impl Chart {
    /// Those that stand in the legend.
    fn named(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(|series| !series.name.is_empty())
    }
}

/// Pixels.
const WIDTH: usize = 1200;
const PLOT_HEIGHT: usize = 300;
const SQUARE: usize = 600;
const MARGIN: usize = 24;
const ROW: usize = 24;
const LETTER: usize = 9;

const BLACK: Colour = [30, 30, 30];
const GREY: Colour = [110, 110, 110];
const GRID: Colour = [225, 225, 225];
const FINE_GRID: Colour = [242, 242, 242];

/// Up to this many points are also shown one by one.
const DOTTED: usize = 40;
/// Values beyond are left out, so that no sum or difference of two overflows.
const LARGEST: f64 = 1e300;

/// Draws the charts, one below the other, to a PNG of 1200 pixels' width. The file appears whole or not at all.
///
/// # Errors
/// [`Error::Argument`] without any chart, [`Error::File`] if the picture cannot be written.
pub fn draw(path: &Path, charts: &[Chart]) -> Result<()> {
    draw_as(path, charts, Shape::Wide)
}

/// The same, for values that are fractions: both axes go from 0 to 1, and the charts are as high as they are wide.
///
/// # Errors
/// As [`draw`].
pub fn draw_fractions(path: &Path, charts: &[Chart]) -> Result<()> {
    draw_as(path, charts, Shape::Unit)
}

/// What a chart looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// As wide as the picture, with axes that fit the values.
    Wide,
    /// A square from 0 to 1.
    Unit,
}

fn draw_as(path: &Path, charts: &[Chart], shape: Shape) -> Result<()> {
    if charts.is_empty() {
        return Err(Error::argument("charts", "none; at least one was expected"));
    }
    // One left edge for all, so that the same x stands below itself.
    let parts: Vec<Layout> = charts.iter().map(|chart| Layout::of(chart, 0, shape)).collect();
    let left = parts.iter().map(|layout| layout.left).max().unwrap_or(0);
    let layouts: Vec<Layout> = charts.iter().map(|chart| Layout::of(chart, left, shape)).collect();
    let width = match shape {
        Shape::Wide => WIDTH,
        Shape::Unit => left + SQUARE + MARGIN + 10,
    };
    let mut canvas = Canvas::new(width, layouts.iter().map(|layout| layout.height).sum());
    let mut top = 0;
    for (chart, layout) in charts.iter().zip(&layouts) {
        layout.draw(chart, &mut canvas, top);
        top += layout.height;
    }
    canvas.write(path)
}

/// Where the parts of a chart go, from its left upper corner.
struct Layout {
    /// The points that can be shown, of each series.
    points: Vec<Vec<(f64, f64)>>,
    x: Scale,
    y: Scale,
    left: usize,
    right: usize,
    /// The left end and the row of each series' name.
    legend: Vec<(usize, usize)>,
    plot: usize,
    plot_height: usize,
    height: usize,
}

impl Layout {
    /// The plot begins `least` pixels from the left, or further where its numbers need it.
    fn of(chart: &Chart, least: usize, shape: Shape) -> Self {
        let shown = |(x, y): &(f64, f64)| x.abs() <= LARGEST && y.abs() <= LARGEST && (!chart.log_y || *y > 0.0);
        let points: Vec<Vec<_>> =
            chart.series.iter().map(|series| series.points.iter().copied().filter(shown).collect()).collect();
        let (x, y) = match shape {
            Shape::Wide => (
                Scale::across(points.iter().flatten().map(|point| point.0)),
                Scale::upwards(points.iter().flatten().map(|point| point.1), chart.log_y),
            ),
            Shape::Unit => (Scale::UNIT, Scale::UNIT),
        };
        let longest = y.ticks().iter().map(|tick| tick.label.len()).max().unwrap_or(0);
        let left = least.max(MARGIN + LETTER * longest + 8);
        let (right, plot_height) = match shape {
            Shape::Wide => (WIDTH - MARGIN - 10, PLOT_HEIGHT),
            Shape::Unit => (left + SQUARE, SQUARE),
        };
        let mut legend = Vec::new();
        let (mut at, mut row) = (left, 0);
        for series in chart.named() {
            let width = 44 + LETTER * series.name.chars().count();
            if at > left && at + width > right {
                (at, row) = (left, row + 1);
            }
            legend.push((at, row));
            at += width + 24;
        }
        let plot = MARGIN + ROW + legend.last().map_or(0, |(_, row)| (row + 1) * ROW) + 8;
        let height = plot + plot_height + 2 * ROW + MARGIN;
        Layout { points, x, y, left, right, legend, plot, plot_height, height }
    }

    fn draw(&self, chart: &Chart, canvas: &mut Canvas, top: usize) {
        let (left, right, plot) = (self.left, self.right, top + self.plot);
        let bottom = plot + self.plot_height;
        canvas.text(&chart.title, left, top + MARGIN + ROW / 2 - 4, Alignment::Left, &FONT_10X20, BLACK);
        for (series, (at, row)) in chart.named().zip(&self.legend) {
            let middle = top + MARGIN + ROW + row * ROW + ROW / 2;
            canvas.rectangle(*at, middle - 1, 26, 3, series.colour);
            canvas.text(&series.name, at + 36, middle, Alignment::Left, &FONT_9X15, BLACK);
        }
        let x_at = |x: f64| left as f64 + self.x.part(x) * (right - left) as f64;
        let y_at = |y: f64| bottom as f64 - self.y.part(y) * self.plot_height as f64;
        for y in self.y.fine_ticks() {
            canvas.rectangle(left, y_at(y) as usize, right - left, 1, FINE_GRID);
        }
        for tick in self.y.ticks() {
            let y = y_at(tick.value) as usize;
            canvas.rectangle(left, y, right - left, 1, GRID);
            canvas.text(&tick.label, left - 8, y, Alignment::Right, &FONT_9X15, GREY);
        }
        for tick in self.x.ticks() {
            let x = x_at(tick.value) as usize;
            canvas.rectangle(x, plot, 1, self.plot_height, GRID);
            canvas.rectangle(x, bottom, 1, 5, GREY);
            canvas.text(&tick.label, x, bottom + 16, Alignment::Center, &FONT_9X15, GREY);
        }
        canvas.rectangle(left, bottom, right - left + 1, 1, GREY);
        canvas.rectangle(left, plot, 1, self.plot_height, GREY);
        canvas.text(&chart.x_label, (left + right) / 2, bottom + ROW + 16, Alignment::Center, &FONT_9X15, BLACK);
        for (series, points) in chart.series.iter().zip(&self.points) {
            let places: Vec<_> = points.iter().map(|(x, y)| (x_at(*x), y_at(*y))).collect();
            let dots = if places.len() <= DOTTED { places.as_slice() } else { &[] };
            canvas.curve(&places, 2.0, dots, series.colour);
        }
        if self.points.iter().all(Vec::is_empty) {
            let middle = plot + self.plot_height / 2;
            canvas.text("no values", (left + right) / 2, middle, Alignment::Center, &FONT_9X15, GREY);
        }
    }
}

/// A number beside an axis.
#[derive(Debug)]
struct Tick {
    value: f64,
    label: String,
}

/// The range of an axis, in logarithms to the base 10 where it is logarithmic.
struct Scale {
    low: f64,
    high: f64,
    log: bool,
    /// About how many ticks there should be.
    wanted: f64,
    /// The least distance between ticks.
    least: f64,
}

impl Scale {
    const UNIT: Scale = Scale { low: 0.0, high: 1.0, log: false, wanted: 10.0, least: 0.0 };

    /// The x axis: from the first value to the last. There are no ticks between whole numbers (steps, epochs).
    fn across(values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = if values.clone().all(|value| value.fract() == 0.0) { 1.0 } else { 0.0 };
        let (low, high) = range(values, |value| (0.1 * value.abs()).max(1.0));
        Scale { low, high, log: false, wanted: 10.0, least }
    }

    /// The y axis: a little more than the values' range, but not below 0 for values that are not.
    fn upwards(values: impl Iterator<Item = f64>, log: bool) -> Self {
        let wanted = 6.0;
        if log {
            let (low, high) = range(values.map(f64::log10), |_| 0.5);
            let edge = 0.04 * (high - low);
            return Scale { low: low - edge, high: high + edge, log, wanted, least: 0.0 };
        }
        let (low, high) = range(values, |value| if value.abs() < 1e-290 { 1.0 } else { 0.1 * value.abs() });
        let edge = 0.04 * (high - low);
        Scale {
            low: if low >= 0.0 { (low - edge).max(0.0) } else { low - edge },
            high: high + edge,
            log,
            wanted,
            least: 0.0,
        }
    }

    /// How far along the axis a value lies, 0 to 1.
    fn part(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> Vec<Tick> {
        if !self.log {
            return round_numbers(self.low, self.high, self.wanted, self.least);
        }
        let decades = self.high - self.low;
        if decades < 1.0 {
            // Decades would be too far apart.
            return round_numbers(10_f64.powf(self.low), 10_f64.powf(self.high), self.wanted, 0.0);
        }
        let factors: &[f64] = if decades < 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let each = (decades / (1.5 * self.wanted)).ceil() as i32;
        let tick =
            |value: f64| Tick { value, label: if value < 9e-4 { format!("{value:.0e}") } else { label(value, value) } };
        self.decades(each)
            .flat_map(|decade| factors.iter().map(move |f| f * decade))
            .filter(|v| self.shows(*v))
            .map(tick)
            .collect()
    }

    /// Lines without numbers on a logarithmic axis, by which to see that it is one.
    fn fine_ticks(&self) -> Vec<f64> {
        if !self.log || !(1.0..6.0).contains(&(self.high - self.low)) {
            return Vec::new();
        }
        self.decades(1).flat_map(|decade| (2..10).map(move |f| f as f64 * decade)).filter(|v| self.shows(*v)).collect()
    }

    /// Powers of 10 in the range and the one before, of those every `each`th.
    fn decades(&self, each: i32) -> impl Iterator<Item = f64> {
        let (first, last) = (self.low.floor() as i32, self.high.floor() as i32);
        (first..=last).filter(move |power| power.rem_euclid(each) == 0).map(|power| 10_f64.powi(power))
    }

    fn shows(&self, value: f64) -> bool {
        (-1e-9..=1.0 + 1e-9).contains(&self.part(value))
    }
}

/// The smallest and the largest value; where they are one, as much to either side as `around` says; 0 to 1 without any.
fn range(values: impl Iterator<Item = f64>, around: impl Fn(f64) -> f64) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    // Closer than this, numbers with a readable count of digits could not tell them apart.
    if high - low <= (1e-9 * low.abs().max(high.abs())).max(1e-290) {
        return (low - around(low), high + around(high));
    }
    (low, high)
}

/// Multiples of 1, 2 or 5 times a power of 10, about as many as wanted, at least `least` apart.
fn round_numbers(low: f64, high: f64, wanted: f64, least: f64) -> Vec<Tick> {
    let rough = (high - low) / wanted;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough).unwrap_or(10.0 * power);
    let step = step.max(least);
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    let tick = |count: i64| Tick { value: count as f64 * step, label: label(count as f64 * step, step) };
    (first..=last).map(tick).collect()
}

/// A number with as many digits as tell it from one that is a step away.
fn label(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let power = |value: f64| (value.abs().log10() + 1e-9).floor() as i32;
    let (size, last) = (power(value), power(step));
    if size.max(last) >= 6 || last < -4 {
        return format!("{value:.*e}", (size - last).max(0) as usize);
    }
    format!("{value:.*}", (-last).max(0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>, log_y: bool) -> Chart {
        let series = Series { name: "training".into(), colour: COLOURS[0], points };
        Chart { title: "loss".into(), x_label: "epoch".into(), series: vec![series], log_y }
    }

    /// The picture's size, and how many of its pixels have exactly a colour.
    fn drawn(charts: &[Chart], colour: Colour) -> (u32, u32, usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curves.png");
        draw(&path, charts).unwrap();
        let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        (frame.width, frame.height, pixels.chunks_exact(3).filter(|pixel| **pixel == colour).count())
    }

    #[test]
    fn odd_series_are_drawn_without_a_fault() {
        let (nan, infinite) = (f64::NAN, f64::INFINITY);
        // What the legend's line alone takes.
        let (.., legend) = drawn(&[chart(vec![], false)], COLOURS[0]);
        let nothing = [vec![(nan, 1.0), (1.0, nan), (1.0, infinite), (-infinite, 2.0), (1.0, 1e308)]];
        let something = [
            vec![(3.0, 0.5)],
            vec![(1.0, 7.0), (2.0, 7.0), (3.0, 7.0)],
            vec![(0.0, 0.0), (0.0, 0.0)],
            vec![(1.0, 1e300), (2.0, -1e300)],
            vec![(1.0, 1e300), (2.0, 1e299)],
            vec![(1e300, 5e-324), (-1e300, 0.0)],
            vec![(1.0, 1.0), (2.0, 1.0 + f64::EPSILON)],
            vec![(1.0, 0.5), (2.0, nan), (3.0, 0.25)],
        ];
        for points in nothing {
            for log_y in [false, true] {
                assert_eq!(drawn(&[chart(points.clone(), log_y)], COLOURS[0]).2, legend, "{points:?}");
            }
        }
        for points in something {
            assert!(drawn(&[chart(points.clone(), false)], COLOURS[0]).2 > legend, "{points:?}");
            let positive = points.iter().any(|point| point.1 > 0.0);
            assert_eq!(drawn(&[chart(points.clone(), true)], COLOURS[0]).2 > legend, positive, "{points:?}");
        }
    }

    #[test]
    fn charts_are_stacked_and_none_are_refused() {
        let one = chart(vec![(1.0, 2.0), (2.0, 1.0)], false);
        let (width, height, pixels) = drawn(std::slice::from_ref(&one), COLOURS[0]);
        assert_eq!(drawn(&[one.clone(), one.clone(), one], COLOURS[0]), (width, 3 * height, 3 * pixels));
        assert!(matches!(draw("none.png".as_ref(), &[]), Err(Error::Argument { .. })));
    }

    #[test]
    fn ticks_are_round_and_few() {
        let labels = |scale: Scale| scale.ticks().into_iter().map(|tick| tick.label).collect::<Vec<_>>();
        let upwards = |values: [f64; 2], log| labels(Scale::upwards(values.into_iter(), log));
        assert_eq!(labels(Scale::across([0.0, 100.0].into_iter())).join(" "), "0 10 20 30 40 50 60 70 80 90 100");
        assert_eq!(upwards([0.0, 1.0], false).join(" "), "0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(upwards([-0.02, 0.013], false).join(" "), "-0.02 -0.01 0 0.01");
        assert_eq!(upwards([1e7, 1.2e7], false).join(" "), "1.00e7 1.05e7 1.10e7 1.15e7 1.20e7");
        assert_eq!(upwards([1e-5, 1e-1], true).join(" "), "1e-5 1e-4 0.001 0.01 0.1");
        assert_eq!(labels(Scale::across([1.0, 3.0].into_iter())).join(" "), "1 2 3");
        assert_eq!(upwards([0.02, 0.9], true).join(" "), "0.02 0.05 0.1 0.2 0.5 1");
        assert_eq!(upwards([0.5, 0.6], true).join(" "), "0.50 0.52 0.54 0.56 0.58 0.60");
        for (a, b) in [(5e-324, 1e300), (1.0, 1e9), (-1e300, 1e300), (3.0, 3.0), (1e-300, 2e-300)] {
            for log in [false, a > 0.0] {
                let count = upwards([a, b], log).len();
                assert!((2..20).contains(&count), "{a} {b} {log}: {count} ticks");
            }
        }
    }
}

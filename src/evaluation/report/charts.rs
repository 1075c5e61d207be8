//! Charts as SVG, in the colours of the page.

use std::fmt::Write;

use super::html::escape;

/// One line of a chart of fractions.
pub struct Line {
    /// Its name in the legend; without one it does not stand there.
    pub name: String,
    /// Which of the page's colours.
    pub colour: usize,
    /// Whether it is one of many, drawn thin.
    pub faint: bool,
    /// From 0 to 1 both.
    pub points: Vec<(f64, f64)>,
}

const SIDE: f64 = 300.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 8.0;

/// A square chart whose axes go from 0 to 1. With `diagonal`, a line from corner to corner.
pub fn fractions(title: &str, x_label: &str, y_label: &str, lines: &[Line], diagonal: bool) -> String {
    let (x, y) = (|value: f64| LEFT + SIDE * value, |value: f64| TOP + SIDE * (1.0 - value));
    let mut text = format!(
        "<figure><figcaption>{}</figcaption><svg class=\"chart\" viewBox=\"0 0 360 352\" role=\"img\" aria-label=\"{}\">\n",
        escape(title),
        escape(title)
    );
    for tenth in (0..=10).step_by(2) {
        let value = f64::from(tenth) / 10.0;
        let _ = writeln!(
            text,
            "<path class=\"grid\" d=\"M{} {}h{SIDE}M{} {}v{SIDE}\"/><text x=\"{}\" y=\"{}\" class=\"end\">{value}</text><text x=\"{}\" \
             y=\"{}\" class=\"middle\">{value}</text>",
            x(0.0),
            y(value),
            x(value),
            y(1.0),
            LEFT - 6.0,
            y(value) + 4.0,
            x(value),
            TOP + SIDE + 16.0
        );
    }
    if diagonal {
        let _ = writeln!(text, "<path class=\"guide\" d=\"M{} {}L{} {}\"/>", x(0.0), y(0.0), x(1.0), y(1.0));
    }
    for line in lines {
        let mut path = String::new();
        for (number, (a, b)) in thinned(&line.points).iter().enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if number == 0 { 'M' } else { 'L' }, x(*a), y(*b));
        }
        let faint = if line.faint { " faint" } else { "" };
        let _ = writeln!(text, "<path class=\"line s{}{faint}\" d=\"{path}\"/>", line.colour);
    }
    let _ = write!(
        text,
        "<text x=\"{}\" y=\"{}\" class=\"middle\">{}</text><text transform=\"translate(12 {}) rotate(-90)\" class=\"middle\">{}</text></svg>",
        x(0.5),
        TOP + SIDE + 34.0,
        escape(x_label),
        y(0.5),
        escape(y_label)
    );
    for line in lines.iter().filter(|line| !line.name.is_empty()) {
        let _ = write!(text, "<span class=\"key\"><i class=\"b{}\"></i>{}</span> ", line.colour, escape(&line.name));
    }
    text += "</figure>\n";
    text
}

/// The points, without those that lie less than a third of a pixel from the one before.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const LEAST: f64 = 1.0 / 900.0;
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for (number, point) in points.iter().enumerate() {
        let far = |last: &(f64, f64)| (point.0 - last.0).abs().max((point.1 - last.1).abs()) >= LEAST;
        if kept.last().is_none_or(far) || number + 1 == points.len() {
            kept.push(*point);
        }
    }
    kept
}

/// A dot for each case on one row per system, with the mean as a bar. `rows` have a name, and of each case name and value, from 0 to 1.
pub fn dots(title: &str, rows: &[(String, Vec<(String, f64)>)]) -> String {
    const WIDE: f64 = 900.0;
    const NAMES: f64 = 150.0;
    const ROW: f64 = 34.0;
    let high = ROW * rows.len() as f64;
    let x = |value: f64| NAMES + (WIDE - NAMES - 16.0) * value;
    let mut text = format!(
        "<figure class=\"wide\"><figcaption>{}</figcaption><svg class=\"chart\" viewBox=\"0 0 {WIDE} {}\" role=\"img\" aria-label=\"{}\">\n",
        escape(title),
        high + 26.0,
        escape(title)
    );
    for tenth in 0..=10 {
        let value = f64::from(tenth) / 10.0;
        let _ = writeln!(
            text,
            "<path class=\"grid\" d=\"M{} 0v{high}\"/><text x=\"{}\" y=\"{}\" class=\"middle\">{}</text>",
            x(value),
            x(value),
            high + 18.0,
            10 * tenth
        );
    }
    for (number, (name, cases)) in rows.iter().enumerate() {
        let middle = ROW * (number as f64 + 0.5);
        let short: String = match name.chars().count() {
            0..=20 => name.clone(),
            _ => name.chars().take(19).chain(['…']).collect(),
        };
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" class=\"end\">{}</text>",
            NAMES - 10.0,
            middle + 4.0,
            escape(&short)
        );
        for (case, value) in cases {
            let _ = writeln!(
                text,
                "<circle class=\"dot b{number}\" cx=\"{:.1}\" cy=\"{middle}\" r=\"5\"><title>{} {:.2}</title></circle>",
                x(*value),
                escape(case),
                100.0 * value
            );
        }
        if !cases.is_empty() {
            let mean = cases.iter().map(|(_, value)| value).sum::<f64>() / cases.len() as f64;
            let _ = writeln!(text, "<path class=\"mean\" d=\"M{:.1} {}v26\"/>", x(mean), middle - 13.0);
        }
    }
    text += "</svg></figure>\n";
    text
}

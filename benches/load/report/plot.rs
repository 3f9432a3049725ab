//! Line charts as SVG, without anything from outside.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 36.0;

/// Told apart also without colour vision.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];

/// Across and up.
pub(crate) type Points = Vec<(f64, f64)>;

/// One line of a chart.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Points,
}

/// How the horizontal axis is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Across {
    /// Evenly, labelled with plain numbers.
    Even,
    /// A share below 1; the closer to 1, the wider.
    Tail,
}

/// How the vertical axis is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Up {
    /// From 0.
    Even,
    /// By powers of ten.
    Powers,
}

/// A chart, or nothing when no series has two points.
pub(crate) fn chart(title: &str, unit: &str, across: Across, up: Up, series: &[Series]) -> String {
    let lines: Vec<(usize, &str, Points)> = series
        .iter()
        .enumerate()
        .map(|(at, series)| (at, series.name.as_str(), placed(&series.points, across, up)))
        .filter(|(_, _, points)| points.len() > 1)
        .collect();
    let xs = || lines.iter().flat_map(|(_, _, points)| points.iter().map(|(x, _)| *x));
    let ys = || lines.iter().flat_map(|(_, _, points)| points.iter().map(|(_, y)| *y));
    let (Some(x_from), Some(x_to)) = (xs().reduce(f64::min), xs().reduce(f64::max)) else {
        return String::new();
    };
    let (Some(least), Some(most)) = (ys().reduce(f64::min), ys().reduce(f64::max)) else {
        return String::new();
    };
    let (y_from, y_to) = match up {
        Up::Even => (0.0, if most > 0.0 { most * 1.05 } else { 1.0 }),
        Up::Powers => (least.floor(), most.ceil().max(least.floor() + 1.0)),
    };
    let x_at = |x: f64| LEFT + (x - x_from) / (x_to - x_from).max(1e-9) * (WIDTH - LEFT - RIGHT);
    let y_at = |y: f64| HEIGHT - BOTTOM - (y - y_from) / (y_to - y_from) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\
         <text x=\"{LEFT}\" y=\"16\" class=\"t\">{title}, {unit}</text>",
        title = escape(title),
        unit = escape(unit),
    );
    for (value, label) in ticks_up(y_from, y_to, up) {
        let y = y_at(value);
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"g\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0
        );
    }
    for (value, label) in ticks_across(x_from, x_to, across) {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            x_at(value),
            HEIGHT - BOTTOM + 16.0
        );
    }
    for (at, name, points) in &lines {
        let colour = COLOURS.get(at % COLOURS.len()).copied().unwrap_or("#000");
        let path: Vec<String> =
            points.iter().map(|(x, y)| format!("{:.1},{:.1}", x_at(*x), y_at(*y))).collect();
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
            path.join(" "),
            LEFT + 120.0 * (*at as f64),
            HEIGHT - 4.0,
            escape(name)
        );
    }
    svg.push_str("</svg></figure>");
    svg
}

/// Points as the axes read them; what an axis can't show is left out.
fn placed(points: &[(f64, f64)], across: Across, up: Up) -> Points {
    points
        .iter()
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .filter(|(x, _)| across == Across::Even || *x < 1.0)
        .filter(|(_, y)| up == Up::Even || *y > 0.0)
        .map(|(x, y)| {
            let x = if across == Across::Tail { nines(*x) } else { *x };
            (x, if up == Up::Powers { y.log10() } else { *y })
        })
        .collect()
}

/// 0.9 is 1, 0.99 is 2, and so on.
fn nines(share: f64) -> f64 {
    -(1.0 - share).log10()
}

fn ticks_up(from: f64, to: f64, up: Up) -> Vec<(f64, String)> {
    match up {
        Up::Powers => (from as i32..=to as i32)
            .map(|power| (f64::from(power), short(10f64.powi(power))))
            .collect(),
        Up::Even => (0..=4)
            .map(|quarter| to / 1.05 * f64::from(quarter) / 4.0)
            .map(|value| (value, short(value)))
            .collect(),
    }
}

fn ticks_across(from: f64, to: f64, across: Across) -> Vec<(f64, String)> {
    match across {
        Across::Tail => [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999]
            .into_iter()
            .map(|share: f64| (nines(share), format!("{}%", short(share * 100.0))))
            .filter(|(at, _)| *at <= to + 1e-9)
            .collect(),
        Across::Even => (0..=6)
            .map(|sixth| from + (to - from) * f64::from(sixth) / 6.0)
            .map(|value| (value, short(value)))
            .collect(),
    }
}

/// A number in few characters.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 1e9 {
        format!("{:.3}G", value / 1e9)
    } else if size >= 1e6 {
        format!("{:.3}M", value / 1e6)
    } else if size >= 1e4 {
        format!("{:.1}k", value / 1e3)
    } else if size >= 100.0 || value.fract().abs() < 1e-9 {
        format!("{value:.0}")
    } else {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// Text that may stand in HTML, also within quotes.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(f64, f64)]) -> Vec<Series> {
        vec![Series { name: "a<b".to_owned(), points: points.to_vec() }]
    }

    #[test]
    fn a_chart_has_one_line_a_series_and_names_are_escaped() {
        let svg = chart("t", "ms", Across::Even, Up::Even, &series(&[(0.0, 1.0), (5.0, 2.0)]));
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"));
        // The highest point is at the top of the area but for a twentieth.
        let top = TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - 1.0 / 1.05);
        assert!(svg.contains(&format!("{:.1},{top:.1}", WIDTH - RIGHT)), "{svg}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(chart("t", "ms", Across::Even, Up::Even, &series(&[])), "");
        assert_eq!(chart("t", "ms", Across::Even, Up::Even, &series(&[(1.0, f64::NAN)])), "");
    }

    #[test]
    fn the_tail_is_as_wide_as_its_nines_and_ends_before_all() {
        let points = placed(&[(0.9, 10.0), (0.99, 1000.0), (1.0, 5.0)], Across::Tail, Up::Powers);
        assert_eq!(points.len(), 2);
        assert!((points[0].0 - 1.0).abs() < 1e-9 && (points[1].0 - 2.0).abs() < 1e-9);
        assert!((points[0].1 - 1.0).abs() < 1e-9 && (points[1].1 - 3.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 0.5, 12.25, 950.4, 12_345.0, 2.5e6].map(short);
        assert_eq!(numbers, ["0", "0.5", "12.25", "950", "12.3k", "2.500M"]);
    }
}

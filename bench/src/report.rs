//! Medians and ranges.

use std::fmt::Write;

/// The value at a quantile (0 to 1) of unsorted values.
pub fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index within the values"
    )]
    let index = ((values.len() as f64 - 1.0) * at).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

/// One line of the table: rounds of a baseline and of ours.
pub fn row(name: &str, unit: &str, mut baseline: Vec<f64>, mut ours: Vec<f64>) -> String {
    let mut ratios: Vec<f64> =
        ours.iter().zip(&baseline).map(|(ours, baseline)| ours / baseline).collect();
    let mut line = format!("| {name}");
    for (values, unit) in [(&mut baseline, unit), (&mut ours, unit), (&mut ratios, "")] {
        let (low, middle, high) =
            (quantile(values, 0.0), quantile(values, 0.5), quantile(values, 1.0));
        let digits = if middle < 10.0 { 2 } else { 0 };
        // Writing to a string does not fail.
        let _ = write!(line, " | {middle:.digits$} {unit} ({low:.digits$}–{high:.digits$})");
    }
    line + " |"
}

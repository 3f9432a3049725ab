//! What is measured, and how: clock and histograms of a run, processors and memory, the audit.
//!
//! Knows neither what is sent nor to whom. [`run::Run`] is what all users of a run share.

pub(crate) mod audit;
pub(crate) mod histogram;
pub(crate) mod metrics;
pub(crate) mod process;
pub(crate) mod run;
pub(crate) mod spread;
pub(crate) mod system;
pub(crate) mod timeline;

/// Returns the middle value, or the mean of the two in the middle; none of nothing.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// Returns a total for each of so many; none when there were none.
pub(crate) fn per(total: Option<u64>, count: u64) -> Option<f64> {
    total.filter(|_| count > 0).map(|total| total as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
    }
}

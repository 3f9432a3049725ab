//! Where a view stands in a timeline: a row and a line of it, not a distance.

/// Where the view stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Anchor {
    /// The last line is at the bottom; new rows move the view.
    #[default]
    Bottom,
    /// This line of this row is at the top.
    Top { seq: u64, line: usize },
}

//! Numbers and names as people read them.

use super::escape::escape;

/// A class name; one written from right to left does not turn its sentence around. A name without letters is said so.
pub(super) fn name(name: &str) -> String {
    if name.trim().is_empty() {
        return "<i>(no name)</i>".to_owned();
    }
    format!("<bdi>{}</bdi>", escape(name))
}

/// A share of 1 with two digits; the space keeps its line together.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}\u{A0}%", share * 100.0)
}

/// A count with its digits in groups of three.
///
/// ```
/// assert_eq!(percept_eval::render::html::grouped(1_234_567), "1,234,567");
/// ```
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let groups = (!head.is_empty()).then_some(head).into_iter();
    let rest = (0..tail.len()).step_by(3).map(|start| &tail[start..start + 3]);
    groups.chain(rest).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        let counts = [0, 7, 999, 1000, 55_000, 100_000, u64::MAX].map(grouped);
        let expected =
            ["0", "7", "999", "1,000", "55,000", "100,000", "18,446,744,073,709,551,615"];
        assert_eq!(counts, expected);
    }

    #[test]
    fn names_are_kept_apart() {
        assert_eq!(name("a&b"), "<bdi>a&amp;b</bdi>");
        assert_eq!(name(" "), "<i>(no name)</i>");
    }
}

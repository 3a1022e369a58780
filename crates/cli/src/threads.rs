//! How many threads are at work, from the command line.

/// The most threads that can be asked for.
pub(crate) const MOST: usize = 4096;

/// A number of threads; 0 means one per processor.
///
/// # Errors
/// What is allowed.
pub(crate) fn parse(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number <= MOST);
    number.ok_or_else(|| format!("expected 0 (one per processor) to {MOST}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_can_work() {
        assert_eq!((parse("0"), parse("4096")), (Ok(0), Ok(4096)));
        for wrong in ["4097", "-1", "", "two"] {
            assert!(parse(wrong).is_err_and(|words| words.contains("4096")), "{wrong}");
        }
    }
}

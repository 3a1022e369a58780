//! A time as people write it: `90s`, `5m`, `1h30m`.

use std::time::Duration;

/// Units from the largest, with their seconds.
const UNITS: [(char, u64); 3] = [('h', 3600), ('m', 60), ('s', 1)];

/// The longest time: a year.
const LONGEST: u64 = 365 * 24 * 3600;

/// Whole hours, minutes and seconds, the larger first, each at most once.
///
/// # Errors
/// What a time looks like.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as `90s`, `5m` or `1h30m`, up to a year".to_owned();
    let (mut rest, mut seconds) = (text.trim(), 0_u64);
    for (unit, length) in UNITS {
        if let Some((number, after)) = rest.split_once(unit) {
            let number = Some(number).filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
            let number: u64 = number.and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
            seconds = seconds.saturating_add(number.saturating_mul(length));
            rest = after;
        }
    }
    match seconds {
        1..=LONGEST if rest.is_empty() => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_minutes_and_seconds_add_up() {
        for (text, seconds) in [
            ("90s", 90),
            ("5m", 300),
            ("1h30m", 5400),
            ("2h", 7200),
            ("1h1m1s", 3661),
            ("1h5s", 3605),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let wrong = [
            "",
            "5",
            "m",
            "0s",
            "-5m",
            "+5m",
            "1.5h",
            "5m1h",
            "5s5s",
            "5 m 3",
            "soon",
            "5m!",
            "9000h",
            "99999999999999999999s",
        ];
        for text in wrong {
            assert!(parse(text).is_err_and(|words| words.contains("`5m`")), "{text}");
        }
    }
}

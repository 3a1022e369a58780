//! Numbers and times as people read them.

use std::time::Duration;

/// A whole number with a comma every three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of things: `1 epoch`, `2,000 epochs`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// A count in at most five characters and a unit: `812`, `12.3 k`, `4.57 M`, `1.2 G`.
pub(crate) fn short(number: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    match UNITS.iter().find(|(size, _)| number >= *size) {
        None => number.to_string(),
        Some((size, unit)) => {
            let value = number as f64 / *size as f64;
            let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
            format!("{value:.digits$} {unit}")
        }
    }
}

/// A share in 0 to 1 as a percentage with two digits.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// A time in its two largest units: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_legible() {
        assert_eq!(["0", "999", "1,000", "1,234,567"], [0, 999, 1000, 1_234_567].map(grouped)[..]);
        let shortened = [7, 1000, 12_345, 456_789, 4_570_000, 1_200_000_000].map(short);
        assert_eq!(shortened, ["7", "1.00 k", "12.3 k", "457 k", "4.57 M", "1.20 G"]);
        assert_eq!(percent(0.99551), "99.55 %");
        assert_eq!([1, 2000].map(|count| counted(count, "step")), ["1 step", "2,000 steps"]);
    }

    #[test]
    fn times_have_two_units() {
        let times = [0.42, 12.9, 200.0, 7530.0].map(|s| time(Duration::from_secs_f64(s)));
        assert_eq!(times, ["0.4 s", "12 s", "3 min 20 s", "2 h 5 min"]);
    }
}

//! The name of a run's folder where nobody gives one.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// `runs/<network>-<date>-<time>` (UTC), with a number where that exists already.
pub(crate) fn unused(network: &str) -> PathBuf {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = format!("{}-{}", file_name(network), date_and_time(since.as_secs()));
    first_unused(Path::new("runs"), &name)
}

fn first_unused(folder: &Path, name: &str) -> PathBuf {
    let numbered = (2..).map(|number| folder.join(format!("{name}-{number}")));
    let mut paths = std::iter::once(folder.join(name)).chain(numbered);
    paths.find(|path| !path.exists()).unwrap_or_else(|| folder.join(name))
}

/// A network's name as part of a file name.
fn file_name(network: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let name: String = network.chars().take(40).map(safe).collect();
    if name.is_empty() { "network".to_owned() } else { name }
}

/// `20260730-024501` for seconds since 1970.
fn date_and_time(seconds: u64) -> String {
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

/// Year, month and day of a day counted from 1970-01-01, after Howard Hinnant's `civil_from_days`: years begin in
/// March, so that the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let january_or_february = u64::from(month >= 10);
    (year + era * 400 + january_or_february, (month + 2) % 12 + 1, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from `date -u -d @SECONDS +%Y%m%d-%H%M%S`.
    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date_and_time(0), "19700101-000000");
        assert_eq!(date_and_time(951_782_399), "20000228-235959");
        assert_eq!(date_and_time(951_782_400), "20000229-000000");
        assert_eq!(date_and_time(1_785_379_501), "20260730-024501");
        assert_eq!(date_and_time(4_107_542_399), "21000228-235959");
    }

    #[test]
    fn an_existing_folder_is_not_used_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = |number: &str| folder.path().join(format!("a-1{number}"));
        assert_eq!(first_unused(folder.path(), "a-1"), name(""));
        std::fs::create_dir(name("")).expect("made");
        std::fs::create_dir(name("-2")).expect("made");
        assert_eq!(first_unused(folder.path(), "a-1"), name("-3"));
        assert_eq!(file_name("../my net\n"), "---my-net-");
    }
}

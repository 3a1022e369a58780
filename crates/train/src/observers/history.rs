//! `history.csv`: one row an epoch.

use crate::error::TrainError;
use crate::event::{EpochRecord, Event, Observer};
use percept_model::atomic;
use std::path::PathBuf;
use thiserror::Error;

/// Keeps `history.csv` in the run's folder: a header with the field names of [`EpochRecord`], and one row an epoch.
///
/// Numbers are written with as many digits as it takes to read the same bits. The file is replaced as a whole at every
/// epoch, so it never ends in half a row, and a resumed run leaves no row of the steps that it repeats.
#[derive(Clone, Debug, Default)]
pub struct History {
    records: Vec<EpochRecord>,
    path: PathBuf,
}

/// Text that is not a history.
#[derive(Debug, Error)]
#[error("the history cannot be read: {0}")]
pub struct HistoryError(#[from] csv::Error);

impl History {
    /// A history that goes on from the epochs that were done already: those of the checkpoint, or none.
    #[must_use]
    pub fn new(done: Vec<EpochRecord>) -> Self {
        Self { records: done, path: PathBuf::new() }
    }

    /// The text of `history.csv`.
    ///
    /// ```
    /// use percept_train::observers::History;
    /// assert!(History::to_csv(&[]).starts_with("epoch,step,train_loss,"));
    /// assert_eq!(History::parse(&History::to_csv(&[]))?, []);
    /// # Ok::<(), percept_train::observers::HistoryError>(())
    /// ```
    ///
    /// # Panics
    /// Never: a record has only numbers.
    #[must_use]
    pub fn to_csv(records: &[EpochRecord]) -> String {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        writer.write_record(COLUMNS).expect("memory takes text");
        for record in records {
            writer.serialize(record).expect("a record has only numbers");
        }
        let bytes = writer.into_inner().expect("memory takes text");
        String::from_utf8(bytes).expect("names and numbers are text")
    }

    /// The records that [`to_csv`](Self::to_csv) wrote, bit for bit.
    ///
    /// # Errors
    /// [`HistoryError`] with the line of what is missing or not a number.
    pub fn parse(text: &str) -> Result<Vec<EpochRecord>, HistoryError> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        Ok(reader.deserialize().collect::<Result<_, _>>()?)
    }

    fn write(&self) -> Result<(), TrainError> {
        let text = Self::to_csv(&self.records);
        Ok(atomic::replace(&self.path, |file| file.write_all(text.as_bytes()))?)
    }
}

/// Fields of [`EpochRecord`] in their order; a test holds them together.
const COLUMNS: [&str; 10] = [
    "epoch",
    "step",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "validation_auc",
    "learning_rate",
    "seconds",
    "images_per_second",
];

impl Observer for History {
    fn notify(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        match event {
            Event::Started(plan) => self.path = plan.folder.join("history.csv"),
            Event::Epoch(record) => self.records.push(**record),
            _ => return Ok(()),
        }
        self.write()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observers::sample::{epoch, started};
    use proptest::prelude::*;
    use std::fs;

    #[test]
    fn columns_are_the_fields() {
        let text = History::to_csv(&[epoch(1)]);
        let expected = "\
epoch,step,train_loss,train_accuracy,validation_loss,validation_accuracy,validation_auc,learning_rate,seconds,images_per_second
1,430,0.25,0.9,0.125,0.95,0.9375,0.001,2.5,22000.0
";
        assert_eq!(text, expected);
        let columns: Vec<&str> = COLUMNS.into();
        let value = serde_json::to_value(epoch(1)).expect("numbers");
        let mut fields: Vec<&str> =
            value.as_object().expect("fields").keys().map(String::as_str).collect();
        fields.sort_by_key(|field| columns.iter().position(|column| column == field));
        assert_eq!(fields, columns);
    }

    #[test]
    fn a_bad_row_is_named() {
        let text = History::to_csv(&[epoch(1), epoch(2)]);
        let cut = text.rsplit_once(',').expect("commas").0;
        let error = History::parse(cut).expect_err("a cell is missing").to_string();
        assert!(error.contains("line: 3"), "{error}");
        let error = History::parse(&text.replace("0.125", "x")).expect_err("no number");
        assert!(error.to_string().contains("line: 2"), "{error}");
        assert!(History::parse("epoch,step\n1,2\n").is_err());
    }

    #[test]
    fn a_resumed_run_keeps_exactly_the_rows_of_its_checkpoint() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("history.csv");
        let mut first = History::default();
        started(folder.path(), 0, |event| first.notify(event).expect("written"));
        assert_eq!(fs::read_to_string(&file).expect("written"), History::to_csv(&[]));
        for number in [1, 2] {
            first.notify(&Event::Epoch(&epoch(number))).expect("written");
        }
        let mut resumed = History::new(vec![epoch(1)]);
        started(folder.path(), 430, |event| resumed.notify(event).expect("written"));
        let rows = |text: String| History::parse(&text).expect("rows");
        assert_eq!(rows(fs::read_to_string(&file).expect("written")), [epoch(1)]);
        resumed.notify(&Event::Epoch(&epoch(2))).expect("written");
        assert_eq!(rows(fs::read_to_string(&file).expect("written")), [epoch(1), epoch(2)]);
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gone");
        let mut history = History::default();
        started(&path, 0, |event| {
            assert!(matches!(history.notify(event), Err(TrainError::Model(_))));
        });
    }

    proptest! {
        #[test]
        fn any_numbers_come_back_bit_for_bit(
            numbers in prop::array::uniform7(any::<f64>()), auc: Option<f64>, epoch: u32, step: u64
        ) {
            let [train_loss, train_accuracy, validation_loss, validation_accuracy, ..] = numbers;
            let [.., learning_rate, seconds, images_per_second] = numbers;
            let record = EpochRecord {
                epoch, step, train_loss, train_accuracy, validation_loss, validation_accuracy,
                validation_auc: auc, learning_rate, seconds, images_per_second,
            };
            let back = History::parse(&History::to_csv(&[record])).expect("a history");
            prop_assert_eq!(History::to_csv(&back), History::to_csv(&[record]));
            let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            prop_assert!(same(back[0].train_loss, train_loss) && same(back[0].seconds, seconds));
            prop_assert_eq!(back[0].validation_auc.is_some(), auc.is_some());
        }

        #[test]
        fn outside_text_never_panics(text: String) {
            let _ = History::parse(&text);
        }
    }
}

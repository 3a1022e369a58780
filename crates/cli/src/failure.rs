//! What a verb ends with when it cannot do its work: a message, its causes, what to do, and the exit code.

use crate::{output, safe_text};
use percept::data::Error as DataError;
use percept::model::error::ModelError;
use percept::train::error::TrainError;
use std::error::Error;
use std::fmt::Write;
use std::process::ExitCode;

/// Exit codes of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Whoever read stdout has gone: no reason to complain.
    ReaderGone = 0,
    /// An output could not be written.
    Output = 1,
    /// The command, a setting or a network description cannot be used.
    Usage = 2,
    /// The data or a picture cannot be used.
    Data = 3,
    /// A number was not finite in training.
    Diverged = 4,
    /// A model or checkpoint cannot be read or written.
    Model = 5,
    /// Stopped by the person.
    Interrupted = 130,
}

/// The end of a verb that could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    hint: String,
}

impl Failure {
    /// A failure with the given message.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: String::new() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn data(message: impl Into<String>) -> Self {
        Self::new(Exit::Data, message)
    }

    pub(crate) fn output(message: impl Into<String>) -> Self {
        Self::new(Exit::Output, message)
    }

    /// Nobody reads stdout any more.
    pub(crate) fn reader_gone() -> Self {
        Self::new(Exit::ReaderGone, "")
    }

    /// An error with all its causes.
    pub(crate) fn of(exit: Exit, error: &dyn Error) -> Self {
        Self::new(exit, chain(error))
    }

    /// Adds an error and its causes to the message.
    pub(crate) fn caused_by(mut self, error: &dyn Error) -> Self {
        let _ = write!(self.message, ": {}", chain(error));
        self
    }

    /// Says first what the message is about.
    pub(crate) fn about(mut self, subject: &str) -> Self {
        self.message = format!("{subject}: {}", self.message);
        self
    }

    /// Says what the person can do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The message and the hint, safe for a terminal, on lines of their own.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}\n", safe_text::lines(self.message.trim_end()));
        if !self.hint.is_empty() {
            let _ = writeln!(text, "what to do: {}", safe_text::lines(&self.hint));
        }
        text
    }

    /// Tells the person on stderr and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            output::tell(&self.text());
        }
        ExitCode::from(self.exit as u8)
    }
}

/// An error's message followed by those of its causes. A cause that the message quotes already is not repeated.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            let _ = write!(text, ": {message}");
        }
        cause = error.source();
    }
    text
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let exit = match error {
            DataError::Setting { .. } => Exit::Usage,
            _ => Exit::Data,
        };
        let hint = match &error {
            DataError::NotFetched { name, .. } => {
                format!("`percept data fetch {name}` gets it; nothing is downloaded unasked")
            }
            error => data_hint(error).to_owned(),
        };
        Self::of(exit, &error).hint(hint)
    }
}

#[cfg(feature = "fetch")]
impl From<percept::fetch::Error> for Failure {
    fn from(error: percept::fetch::Error) -> Self {
        use percept::fetch::Error as FetchError;
        let exit = match error {
            FetchError::Origin { .. } => Exit::Usage,
            FetchError::Io { .. } => Exit::Output,
            _ => Exit::Data,
        };
        Self::of(exit, &error).hint(error.hint())
    }
}

fn data_hint(error: &DataError) -> &'static str {
    match error {
        DataError::Missing { .. } | DataError::IsFolder { .. } => "check the path",
        DataError::Io { .. } => "check that the file may be read and that its disk works",
        DataError::Malformed { .. } | DataError::Decode { .. } => {
            "the file is damaged, incomplete or of another kind: get it again, or give another one"
        }
        DataError::UnknownFolder { .. } => {
            "put the pictures of each class into a folder of their own, or use `--data mnist`"
        }
        DataError::OtherFormat { .. } => "leave out --format: the format is recognised",
        DataError::Classes { .. } => {
            "use data of the same classes; folders and labels are matched by name, capitals included"
        }
        DataError::Blank { .. } => "draw the digit thicker, or with more contrast",
        // These say themselves what to do.
        _ => "",
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::of(Exit::Model, &error).hint(error.hint())
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Data(error) => error.into(),
            TrainError::Model(error) => error.into(),
            TrainError::Mnist(_) | TrainError::Eval(_) | TrainError::Mismatch { .. } => {
                Self::of(Exit::Data, &error)
            }
            TrainError::Diverged { ref checkpoint, .. } => {
                let kept = match checkpoint {
                    Some(path) => {
                        format!("The last good checkpoint is kept in {}. ", path.display())
                    }
                    None => "No checkpoint had been written yet. ".to_owned(),
                };
                Self::of(Exit::Diverged, &error).hint(kept + DIVERGED_REMEDY)
            }
            TrainError::UnsoundModel { .. } | TrainError::Resume { .. } => {
                Self::of(Exit::Model, &error)
            }
            TrainError::Io { ref cause, .. } => Self::of(Exit::Output, &error).hint(io_hint(cause)),
            _ => Self::of(Exit::Usage, &error),
        }
    }
}

/// What to do when training diverged.
const DIVERGED_REMEDY: &str = "Train again with a lower --learning-rate (a third of this one), or limit the gradient \
                               with --clip-norm 1; where the input is the culprit, check the data.";

fn io_hint(cause: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match cause.kind() {
        ErrorKind::AlreadyExists => {
            "choose another folder with --out, or go on with that run: `percept train --resume DIR`"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "choose a folder that you may write to with --out"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room on the disk, or choose a folder on another one with --out"
        }
        _ => "choose another folder with --out",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn causes_are_told_once() {
        let cause = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = TrainError::Io { action: "create", path: "runs\x1b".into(), cause };
        let failure = Failure::from(error);
        assert_eq!(failure.exit(), Exit::Output);
        let expected = "error: cannot create runs\u{FFFD}: permission denied\n\
                        what to do: choose a folder that you may write to with --out\n";
        assert_eq!(failure.text(), expected);
    }

    #[test]
    fn settings_are_usage_and_files_are_data() {
        let setting = DataError::Setting {
            setting: "rotation",
            expected: "in 0..=180".into(),
            found: "999".into(),
        };
        assert_eq!(Failure::from(TrainError::Data(setting)).exit(), Exit::Usage);
        let missing = DataError::Missing { path: "nowhere".into(), expected: "a folder".into() };
        assert_eq!(Failure::from(TrainError::Data(missing)).exit(), Exit::Data);
    }
}

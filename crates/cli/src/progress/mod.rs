//! What a person (or a program) sees of a run while it goes on.

mod data;
mod json;
mod lines;
mod live;
mod plan;

use crate::output;
pub(crate) use data::data_watcher;
pub(crate) use json::{JsonLines, finished_json};
use lines::Lines;
use live::Live;
use percept::train::error::TrainError;
use percept::train::event::{EpochRecord, Event, Observer};
use std::io::IsTerminal;

/// Tells stderr about a run: live on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub(crate) struct Progress {
    screen: Screen,
}

#[derive(Debug)]
enum Screen {
    Live(Live),
    Lines(Lines),
    Quiet,
}

impl Progress {
    /// What suits stderr; nothing at all where `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let screen = if quiet {
            Screen::Quiet
        } else if std::io::stderr().is_terminal() && !dumb {
            Screen::Live(Live::default())
        } else {
            Screen::Lines(Lines::default())
        };
        Self { screen }
    }

    /// Takes the live display away, for what is printed next.
    pub(crate) fn clear(&mut self) {
        if let Screen::Live(live) = &mut self.screen {
            live.clear();
        }
    }
}

impl Observer for Progress {
    fn notify(&mut self, event: &Event<'_>) -> Result<(), TrainError> {
        if let (Event::Started(plan), Screen::Live(_) | Screen::Lines(_)) = (event, &self.screen) {
            output::tell(&(plan::text(plan) + "\n"));
        }
        match &mut self.screen {
            Screen::Live(live) => live.notify(event),
            Screen::Lines(lines) => lines.notify(event),
            Screen::Quiet => {}
        }
        Ok(())
    }
}

/// What an epoch has brought, in a line. Without validation images there is no validation accuracy to tell.
fn epoch_line(record: &EpochRecord, epochs: u32, validated: bool) -> String {
    let validation = match validated {
        true => format!(
            "validation {:.2} % (loss {:.4})  ",
            record.validation_accuracy * 100.0,
            record.validation_loss
        ),
        false => String::new(),
    };
    format!(
        "epoch {:>3}/{epochs}  loss {:.4}  {validation}{} images/s  {:.1} s",
        record.epoch,
        record.train_loss,
        crate::number::grouped(record.images_per_second as u64),
        record.seconds
    )
}

//! Observers that keep what a run says in files of its folder.
//!
//! Each learns the folder from [`Event::Started`](crate::event::Event::Started).

mod history;
mod html_report;
mod tensorboard;

pub use history::{History, HistoryError};
pub use html_report::HtmlReport;
pub use tensorboard::TensorBoard;

#[cfg(test)]
mod sample;

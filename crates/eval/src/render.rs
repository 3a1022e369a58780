//! Reports made readable: one file per form.

mod json;
mod table;
mod text;

pub use json::json;
pub use text::text;

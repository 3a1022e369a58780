//! Reports made readable: one file per form.

pub mod html;
mod json;
mod table;
mod text;

pub use json::json;
pub use text::text;

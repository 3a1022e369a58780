//! What `percept bench` measures, and how it tells it.

mod findings;
mod machine;
mod plan;
mod progress;
mod table;

pub(crate) use findings::json;
pub(crate) use plan::{Plan, Times, run};
pub(crate) use table::text;

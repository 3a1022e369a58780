//! `percept man`: the manual pages.

use crate::arguments::Arguments as Program;
use crate::failure::Failure;
use crate::output;
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use std::fs;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  percept man | man -l -                        read the page of the program
  percept man --out ~/.local/share/man/man1     install a page for each command";

/// Write the manual page to stdout, or one page a command into a folder
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Write percept.1, percept-train.1, ... into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut program = Program::command();
    program.build();
    match &arguments.out {
        None => output::print_bytes(&page(&program)?),
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|cause| {
                let message = format!("cannot create {}", folder.display());
                Failure::output(message).caused_by(&cause)
            })?;
            write_pages(&program, folder)
        }
    }
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let rendered = Man::new(command.clone()).render(&mut page);
    rendered.map_err(|cause| Failure::output("cannot make the page").caused_by(&cause))?;
    Ok(page)
}

/// Writes the page of a command and of all below it.
fn write_pages(command: &Command, folder: &Path) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    output::write_file(&folder.join(format!("{name}.1")), &page(command)?)?;
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
    verbs.into_iter().try_for_each(|verb| write_pages(verb, folder))
}

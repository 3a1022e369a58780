//! `percept completions`: what a shell needs to complete commands.

use crate::arguments::Arguments as Program;
use crate::failure::Failure;
use crate::output;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  percept completions bash > ~/.local/share/bash-completion/completions/percept
  percept completions zsh  > ~/.zfunc/_percept
  percept completions fish > ~/.config/fish/completions/percept.fish";

/// Write the completions of a shell to stdout
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Program::command(), "percept", &mut script);
    output::print_bytes(&script)
}

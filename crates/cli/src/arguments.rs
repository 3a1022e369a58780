//! The command line as a whole; the arguments of each verb are in its own file.

use crate::verbs::Verb;
use clap::Parser;

const AFTER_HELP: &str = "\
Examples:
  percept train                                  learn to read digits, from data inside the program
  percept predict runs/mlp/model.safetensors 7.png     what does this picture show?
  percept evaluate runs/mlp/model.safetensors    how good is the model, class by class?
  percept show cnn --svg cnn.svg                 draw a network

Exit codes:
  0    done
  1    an output could not be written
  2    the command, a setting or a network description cannot be used
  3    the data or a picture cannot be used
  4    training diverged: a number was not finite
  5    a model or checkpoint cannot be read or written
  130  interrupted, after writing a checkpoint

Environment:
  PERCEPT_ISA=scalar|neon|avx2|avx512|avx512bf16|amx
            use this instruction set (`percept info` lists those of this processor)
  NO_COLOR  print without colours";

/// Train, evaluate and use networks that tell images apart.
#[derive(Debug, Parser)]
#[command(
    name = "percept",
    bin_name = "percept",
    version,
    after_help = AFTER_HELP,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 110
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }
}

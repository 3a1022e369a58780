//! The command line as a whole; the arguments of each verb are in its own file.

use crate::verbs::{PredictVerb, Verb};
use clap::Parser;
use std::env;

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

/// `predict` alone: setting up the arguments of the other verbs takes 0.2 to 0.4 of the 4.5 ms from its start to its answer.
#[derive(Debug, Parser)]
#[command(name = "percept", bin_name = "percept", version, max_term_width = 110)]
struct PredictArguments {
    #[command(subcommand)]
    verb: PredictVerb,
}

impl Arguments {
    /// The arguments of this process. Where they are wrong or ask for help, the program ends here.
    pub(crate) fn of_process() -> Self {
        if env::args_os().nth(1).is_some_and(|verb| verb == "predict") {
            return Self { verb: PredictArguments::parse().verb.into() };
        }
        Self::parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
        PredictArguments::command().debug_assert();
    }

    #[test]
    fn predict_by_itself_is_predict_among_the_verbs() {
        for given in [
            &["--help"][..],
            &["-h"],
            &[],
            &["model"],
            &["model", "picture", "--top"],
            &["model", "picture", "--top", "few"],
            &["model", "picture", "--tpo", "3"],
            &["--version"],
        ] {
            let line = || ["percept", "predict"].iter().chain(given);
            let among = Arguments::try_parse_from(line()).unwrap_err();
            let alone = PredictArguments::try_parse_from(line()).unwrap_err();
            assert_eq!(alone.render().ansi().to_string(), among.render().ansi().to_string());
            assert_eq!(alone.exit_code(), among.exit_code());
        }
        let line = ["percept", "predict", "model", "picture", "--top", "3", "--json"];
        let among = Arguments::try_parse_from(line).unwrap().verb;
        let alone: Verb = PredictArguments::try_parse_from(line).unwrap().verb.into();
        assert_eq!(format!("{alone:?}"), format!("{among:?}"));
    }
}

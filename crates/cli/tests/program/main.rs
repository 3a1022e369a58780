//! The program as a person meets it: run as a process, with its output, its exit code and its files.

mod bad_data;
mod bad_folders;
mod bad_models;
mod bad_networks;
mod bad_pictures;
mod bench;
mod cache;
mod data_check;
mod digits;
mod help;
mod interruption;
mod learning_rate;
mod models;
mod named_sets;
mod picture_folders;
mod program;
mod sample;
mod saving;
mod time_budget;
mod training;
mod transfer;

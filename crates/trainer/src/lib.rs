//! Training on Burn's Learner, and what is done with trained networks.
//!
//! A command line becomes a `config::RunConfig`; with images and a device it becomes a
//! `training::Training`, which leaves a `run_directory::RunDirectory` behind. Every verb of the
//! program is a file of `commands`.

mod averaging;
mod backend;
mod budget;
mod checkpoint;
mod classifier;
pub mod cli;
mod commands;
mod config;
mod console;
mod dashboard;
mod ensemble;
mod ensemble_runner;
mod epoch_loop;
pub mod evaluation;
mod exit;
#[cfg(unix)]
mod hangup;
mod history;
mod interrupt;
mod jobs;
mod measuring;
mod metrics;
mod names;
mod optimizer;
mod output_files;
mod probe;
pub mod run_directory;
pub mod saved_model;
mod schedule;
mod shell;
mod study_runner;
mod summary;
mod text;
mod threads;
mod toml_file;
mod training;

pub use console::print_error;
pub use threads::join_pool;

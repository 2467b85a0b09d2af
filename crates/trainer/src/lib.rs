//! Training on Burn's Learner, and what is done with trained networks.
//!
//! A command line becomes a [`config::RunConfig`]; with images and a device it becomes a
//! [`training::Training`], which leaves a [`run_directory::RunDirectory`] behind. Every verb of the
//! program is a file of [`commands`].

pub mod averaging;
pub mod backend;
pub mod checkpoint;
pub mod classifier;
pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod ensemble;
pub mod epoch_loop;
pub mod evaluation;
pub mod files;
pub mod history;
pub mod interrupt;
pub mod jobs;
pub mod measuring;
pub mod metrics;
pub mod optimizer;
pub mod probe;
pub mod run_directory;
pub mod saved_model;
pub mod schedule;
pub mod study_runner;
pub mod summary;
pub mod training;

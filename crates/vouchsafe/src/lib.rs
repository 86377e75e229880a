//! The program over the three libraries: command line, demo, development server, example district.

pub mod cli;
pub mod demo;
pub mod dev;
pub mod district;
pub(crate) mod doctor;
pub mod exit;
pub mod inbox;
pub mod world;

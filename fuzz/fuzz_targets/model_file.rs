#![no_main]

ggpfn_fuzz::target!(model_file);

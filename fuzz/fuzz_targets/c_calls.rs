#![no_main]

ggpfn_fuzz::target!(c_calls);

"""Large systems as machine code: vectors of states lie in memory, every instruction of a tape is a loop over them."""

"""What holds of the code as a whole: its layers, sizes and words, and the artefacts made from it."""

package dev.graft.eval.metrics;

/** A row of single-label classification: the true class and the predicted one, counted from 0. */
public record ClassPrediction(int label, int prediction) {}

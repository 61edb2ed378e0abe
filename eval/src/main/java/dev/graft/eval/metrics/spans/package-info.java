/** Scores of spans that tags mark in sequences: named entities, chunks, error spans. */
@NullMarked
package dev.graft.eval.metrics.spans;

import org.jspecify.annotations.NullMarked;

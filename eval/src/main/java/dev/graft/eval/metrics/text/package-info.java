/** Scores of written text against references: answers, translations, summaries, transcripts. */
@NullMarked
package dev.graft.eval.metrics.text;

import org.jspecify.annotations.NullMarked;

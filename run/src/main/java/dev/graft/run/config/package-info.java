/**
 * The options of a training run, each declared once in {@link dev.graft.run.config.RunConfig}: flags, YAML keys, overrides, help,
 * JSON Schema and the resolved file that a run leaves behind all derive from that declaration.
 */
@NullMarked
package dev.graft.run.config;

import org.jspecify.annotations.NullMarked;

/**
 * Many adapters over one base: {@link dev.graft.serve.Engine} answers requests together, each as if it were alone.
 */
@NullMarked
package dev.graft.serve;

import org.jspecify.annotations.NullMarked;

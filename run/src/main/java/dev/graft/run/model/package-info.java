/** Loading of bases and adapters by the names of options. */
@NullMarked
package dev.graft.run.model;

import org.jspecify.annotations.NullMarked;

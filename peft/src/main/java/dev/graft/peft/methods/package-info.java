/** Parameter-efficient methods, one file each, in a package for each family. */
@NullMarked
package dev.graft.peft.methods;

import org.jspecify.annotations.NullMarked;

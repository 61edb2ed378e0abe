/** The options that commands on models share. */
@NullMarked
package dev.graft.cli.model;

import org.jspecify.annotations.NullMarked;

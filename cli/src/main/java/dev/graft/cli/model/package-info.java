/** The options that commands on models share, and what loads a base with its adapters. */
@NullMarked
package dev.graft.cli.model;

import org.jspecify.annotations.NullMarked;

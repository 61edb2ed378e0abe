package dev.graft.cli.doctor;

import java.util.List;

/** A group of findings on one subject. */
public interface Check {

    /** The heading: {@code Processor}. */
    String title();

    List<Finding> findings(Machine machine);
}

package dev.graft.run.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Marks a record component as an option of a run. Its name is the component's in snake_case, its type the component's.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface ConfigOption {

    /** The description of the option in one line, with its unit. */
    String value();

    /** The default in YAML; empty if the option may be unset. */
    String byDefault() default "";

    /** The meaning of an unset option, for help and schema: {@code "each epoch"}. */
    String unset() default "";

    boolean required() default false;

    String example() default "";

    /**
     * Names of the same option with the same values in other trainers. Options with other values are in {@link OtherTrainerOptions}.
     */
    String[] aliases() default {};

    double min() default Double.NEGATIVE_INFINITY;

    /** An exclusive lower bound. */
    double above() default Double.NEGATIVE_INFINITY;

    double max() default Double.POSITIVE_INFINITY;

    /** An exclusive upper bound. */
    double below() default Double.POSITIVE_INFINITY;

    /** The number of elements that a list must have; 0 for any number. */
    int size() default 0;
}

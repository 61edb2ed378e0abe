package dev.graft.cli.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Makes a record component an option of a run. Its name is the component's in snake_case, its type the component's. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
@interface Key {

    /** One line that says what the option does, with its unit. */
    String value();

    /** The default as it would be written in YAML; empty where the option may stay unset. */
    String byDefault() default "";

    /** What an unset option means, for help and schema: {@code "each epoch"}. */
    String unset() default "";

    boolean required() default false;

    String example() default "";

    /** Names that other trainers give the same option, with the same values. Those with other values are in {@link PeerNames}. */
    String[] aliases() default {};

    double min() default Double.NEGATIVE_INFINITY;

    /** An exclusive lower bound. */
    double above() default Double.NEGATIVE_INFINITY;

    double max() default Double.POSITIVE_INFINITY;

    /** An exclusive upper bound. */
    double below() default Double.POSITIVE_INFINITY;

    /** How many elements a list must have; 0 for any number. */
    int size() default 0;
}

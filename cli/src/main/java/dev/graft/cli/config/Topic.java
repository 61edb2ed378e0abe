package dev.graft.cli.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Groups the options of one nested record under a heading of the help, and under a common prefix if it has one. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
@interface Topic {

    String value();

    /** What comes before the dot of the options' names: {@code "data"} makes {@code data.train} of {@code train}. */
    String prefix() default "";
}

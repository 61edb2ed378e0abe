package dev.graft.run.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Groups the options of one nested record under a heading of the help, and under a common prefix if it has one. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
@interface ConfigSection {

    String value();

    /** The part before the dot of the options' names: {@code "data"} turns {@code train} into {@code data.train}. */
    String prefix() default "";
}

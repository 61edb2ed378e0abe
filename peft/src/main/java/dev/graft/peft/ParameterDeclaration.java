package dev.graft.peft;

import org.bytedeco.pytorch.Tensor;

/** Declares a parameter of a method. */
@FunctionalInterface
public interface ParameterDeclaration {
    Tensor of(String key, Initializer initializer, long... shape);
}

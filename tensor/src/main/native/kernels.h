// What Java calls, as javac declares it: a definition with other types doesn't compile. And what all loops have in common.

#pragma once

#include "dev_graft_tensor_ops_BatchedLowRankProduct.h"
#include "dev_graft_tensor_ops_Bf16Products.h"
#include "dev_graft_tensor_ops_Dropout.h"
#include "dev_graft_tensor_ops_FusedAttention.h"
#include "dev_graft_tensor_ops_FusedNorm.h"
#include "dev_graft_tensor_ops_FusedOps.h"
#include "dev_graft_tensor_ops_KernelRecording.h"

constexpr jlong least(jlong a, jlong b) { return a < b ? a : b; }

// A function that a class of dev.graft.tensor.ops declares.
#define NATIVE(type, owner, name) extern "C" JNIEXPORT type JNICALL Java_dev_graft_tensor_ops_##owner##_##name

template <typename T>
static inline T *at(jlong address) {
    return reinterpret_cast<T *>(address);
}

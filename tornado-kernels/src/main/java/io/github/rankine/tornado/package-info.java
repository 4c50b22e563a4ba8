/** The kernels as TornadoVM compiles them for OpenCL, PTX and CUDA devices, and what keeps a run's memory there. */
package io.github.rankine.tornado;

// Finds the pancreas in a raw image, shows how far it is, and stops when Ctrl-C is pressed.
//
//     c++ -std=c++17 cpp_segment.cpp -o cpp_segment $(pkg-config --cflags --libs ggpfn) -pthread
//     ./cpp_segment ct.raw 512 512 100 0.8 0.8 2.5 mask.raw
//
// ct.raw: int16 Hounsfield units of this machine's byte order, x fastest, x growing to the patient's left, y to the back, z to the head.
// mask.raw: one byte for each voxel, 1 in the pancreas.

#include "ggpfn.hpp"

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>

namespace
{
volatile std::sig_atomic_t interrupted = 0;
}

int main(int argc, char ** argv)
{
  if (argc != 9)
  {
    std::cerr << "usage: cpp_segment CT.RAW NX NY NZ DX DY DZ MASK.RAW\n";
    return 2;
  }
  try
  {
    const ggpfn::Size         size{{std::stoul(argv[2]), std::stoul(argv[3]), std::stoul(argv[4])}};
    const ggpfn::Vector       spacing{{std::stod(argv[5]), std::stod(argv[6]), std::stod(argv[7])}};
    std::vector<std::int16_t> voxels(size[0] * size[1] * size[2]);
    std::ifstream             input(argv[1], std::ios::binary);
    if (!input.read(reinterpret_cast<char *>(voxels.data()), static_cast<std::streamsize>(voxels.size() * 2)))
    {
      std::cerr << argv[1] << ": there are not " << voxels.size() << " voxels in it\n";
      return 1;
    }

    // A monitor stops the work from anywhere; here the progress function does, by returning false.
    std::signal(SIGINT, [](int) { interrupted = 1; });
    const auto on_progress = [](const ggpfn::Progress & progress) {
      std::fprintf(stderr, "\r%3.0f %%  %-20s", 100.0 * progress.fraction, progress.phase.c_str());
      return interrupted == 0;
    };

    const auto model = ggpfn::Model::shipped();
    const auto found = model.segment(ggpfn::Image::of(voxels, size, spacing), {}, {}, {on_progress, {}});

    std::cerr << '\n';
    std::cout << found.measurements.volume_ml << " mL in " << found.measurements.seconds << " s\n";
    std::ofstream output(argv[8], std::ios::binary);
    output.write(reinterpret_cast<const char *>(found.mask.data()), static_cast<std::streamsize>(found.mask.size()));
    output.close();
    return output ? 0 : 1;
  }
  catch (const ggpfn::Error & error)
  {
    std::cerr << '\n' << error.what() << '\n';
    return error.cancelled() ? 130 : 1;
  }
  catch (const std::exception & error)
  {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
